//! Shopify end to end: shops linked by token and by OAuth2, subscriptions made on Shopify's own
//! schema, deliveries signed by Shopify's own library.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::Database,
    on_both_databases,
    server::{Server, client},
    simulator::Simulator,
};

on_both_databases!(
    a_shop_linked_by_token_receives_its_events,
    a_shop_that_installs_the_app_receives_its_events,
    numbers_are_kept_to_the_last_digit,
    what_shopify_objects_is_told,
    forged_deliveries_are_turned_away,
    a_subscription_that_is_gone_can_be_deleted,
    a_token_that_is_wrong_is_told_when_it_is_linked,
);

const SHOP: &str = "acme.myshopify.com";
const OTHER: &str = "other.myshopify.com";
const SECRET: &str = "shpss_client-secret-1";
const ORDER: &str = r#"{"id":820982911946154508,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508","total_price":"388.00","line_items":[{"id":866550311766439020,"price":"199.00"}]}"#;

async fn start(database: &Database) -> (Simulator, Server) {
    let simulator = Simulator::named("shopify").await;
    let urls: Vec<String> = [SHOP, OTHER, "no-such.myshopify.com"]
        .iter()
        .map(|shop| format!("https://{shop}={}/shops/{shop}", simulator.url))
        .collect();
    let settings = [
        ("HEARKEN_APPS__SHOPIFY__URLS", &*urls.join(",")),
        ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32"),
    ];
    let server = Server::start(database, &settings).await;
    (simulator, server)
}

fn by_token(shop: &str, token: &str) -> Value {
    json!({
        "app": "shopify", "name": shop, "kind": "token", "metadata": { "shop": shop },
        "credentials": { "access_token": token, "client_secret": SECRET },
    })
}

async fn link(server: &Server, shop: &str) -> Value {
    server.post("/v1/linked-accounts", by_token(shop, "shpat_valid")).await
}

async fn provider_app(server: &Server) -> Value {
    let credentials = json!({ "client_id": "client-1", "client_secret": SECRET });
    let wanted = json!({ "app": "shopify", "name": "Our app", "credentials": credentials });
    server.post("/v1/provider-apps", wanted).await
}

/// Installs the app in a shop as a merchant does, in a browser.
async fn install(simulator: &Simulator, server: &Server, app: &Value, shop: &str) -> Value {
    let wanted = json!({ "app": "shopify", "provider_app_id": app["id"], "name": shop, "metadata": { "shop": shop } });
    let begun = server.post("/v1/linked-accounts/oauth2/start", wanted).await;
    let url = begun["authorize_url"].as_str().unwrap();
    assert!(url.contains(&format!("/{shop}/admin/oauth/authorize?")), "{url}");
    let consented = simulator.control("authorize", json!({ "url": url })).await;
    let back = client().get(consented["redirect"].as_str().unwrap()).send().await.unwrap();
    assert!(back.status().is_success(), "{}: {}", back.status(), back.text().await.unwrap());
    let accounts = server.all("/v1/linked-accounts").await;
    accounts.into_iter().find(|account| account["external_id"] == shop).unwrap()
}

fn wanted(account: &Value, name: &str) -> Value {
    json!({ "trigger": name, "linked_account_id": account["id"], "config": {} })
}

async fn events(server: &Server, trigger: &Value) -> Vec<Value> {
    server.all(&format!("/v1/triggers/{}/events", trigger["id"].as_str().unwrap())).await
}

async fn data(server: &Server, event: &Value) -> Value {
    let path = format!("/v1/trigger-events/{}", event["id"].as_str().unwrap());
    server.get(&path).await["data"].clone()
}

async fn delete(server: &Server, trigger: &Value) {
    let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
    let (status, answer) = server.call(Method::DELETE, &path, None).await;
    assert_eq!(status, 204, "{answer}");
}

async fn subscriptions(simulator: &Simulator) -> Vec<Value> {
    simulator.state().await["subscriptions"].as_array().unwrap().clone()
}

async fn a_shop_linked_by_token_receives_its_events(database: &Database) {
    let (simulator, server) = start(database).await;
    let account = link(&server, SHOP).await;
    assert_eq!(account["external_id"], SHOP, "{account}");
    let mut order = wanted(&account, "SHOPIFY__ORDER_UPDATED");
    order["filter"] = json!({ "path": "$.total_price", "not_equals": "0.00" });
    let order = server.post("/v1/triggers", order).await;
    let product = server.post("/v1/triggers", wanted(&account, "SHOPIFY__PRODUCT_UPDATED")).await;
    let made = subscriptions(&simulator).await;
    let topics: Vec<&str> = made.iter().map(|one| one["topic"].as_str().unwrap()).collect();
    assert_eq!(topics, ["ORDERS_UPDATED", "PRODUCTS_UPDATE"]);
    assert_eq!(made[0]["uri"], order["webhook_url"]);
    assert_eq!(made[0]["id"], order["external_id"]);

    let sent = simulator.control("deliver", json!({ "id": made[0]["id"], "body": ORDER })).await;
    assert_eq!(sent["status"], 202, "{sent}");
    let stored = events(&server, &order).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["type"], "shopify.order.updated");
    assert_eq!(stored[0]["external_event_id"], sent["webhook_id"]);
    let whole = data(&server, &stored[0]).await;
    assert_eq!(whole["_webhook"]["event_id"], sent["event_id"]);
    assert_eq!(whole["_webhook"]["shop"], SHOP);

    // Shopify tries again under the same id; a free order is filtered.
    let again = json!({ "id": made[0]["id"], "body": ORDER, "webhook_id": sent["webhook_id"] });
    assert_eq!(simulator.control("deliver", again).await["status"], 202);
    let free = json!({ "id": made[0]["id"], "body": ORDER.replace("388.00", "0.00") });
    assert_eq!(simulator.control("deliver", free).await["status"], 202);
    assert_eq!(events(&server, &order).await.len(), 1);
    let product_body = r#"{"id":788032119674292922,"title":"Example T-Shirt"}"#;
    simulator.control("deliver", json!({ "id": made[1]["id"], "body": product_body })).await;
    assert_eq!(events(&server, &product).await.len(), 1);

    delete(&server, &order).await;
    delete(&server, &product).await;
    assert_eq!(subscriptions(&simulator).await, Vec::<Value>::new());
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn a_shop_that_installs_the_app_receives_its_events(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&server).await;
    assert_eq!(app["webhook_url"], Value::Null, "every trigger has its own");
    let account = install(&simulator, &server, &app, SHOP).await;
    assert_eq!(account["status"], "active", "{account}");
    assert!(account["expires_at"].is_string(), "its token expires: {account}");
    let other = install(&simulator, &server, &app, OTHER).await;
    let trigger = server.post("/v1/triggers", wanted(&account, "SHOPIFY__ORDER_PAID")).await;
    server.post("/v1/triggers", wanted(&other, "SHOPIFY__ORDER_PAID")).await;
    let made = subscriptions(&simulator).await;
    let shops: Vec<&str> = made.iter().map(|one| one["shop"].as_str().unwrap()).collect();
    assert_eq!(shops, [SHOP, OTHER]);

    // All shops share the app's secret: only the right one's is taken.
    let foreign = json!({ "url": trigger["webhook_url"], "topic": "ORDERS_PAID", "shop": OTHER, "body": ORDER });
    assert_eq!(simulator.control("deliver", foreign).await["status"], 202);
    assert_eq!(events(&server, &trigger).await, Vec::<Value>::new());
    let sent = simulator.control("deliver", json!({ "id": made[0]["id"], "body": ORDER })).await;
    assert_eq!(sent["status"], 202, "{sent}");
    assert_eq!(events(&server, &trigger).await.len(), 1);

    // After the secret was replaced, Shopify signs with the former for up to an hour.
    let path = format!("/v1/provider-apps/{}", app["id"].as_str().unwrap());
    let change = json!({ "credentials": { "client_id": "client-1", "client_secret": "replaced" } });
    let (status, changed) = server.call(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, 200, "{changed}");
    for (secret, status) in [(SECRET, 202), ("replaced", 202), ("neither", 401)] {
        let job = json!({ "id": made[0]["id"], "body": ORDER, "secret": secret });
        assert_eq!(simulator.control("deliver", job).await["status"], status, "{secret}");
    }
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn numbers_are_kept_to_the_last_digit(database: &Database) {
    let (simulator, server) = start(database).await;
    let account = link(&server, SHOP).await;
    let trigger = server.post("/v1/triggers", wanted(&account, "SHOPIFY__ORDER_CREATED")).await;
    let id = subscriptions(&simulator).await[0]["id"].clone();
    let body = r#"{"id":820982911946154508,"checkout_id":18446744073709551615,"customer":{"id":-9007199254740993}}"#;
    simulator.control("deliver", json!({ "id": id, "body": body })).await;
    let stored = events(&server, &trigger).await;
    let whole = data(&server, &stored[0]).await;
    assert_eq!(whole["id"], 820_982_911_946_154_508_u64);
    assert_eq!(whole["checkout_id"], u64::MAX);
    assert_eq!(whole["customer"]["id"], -9_007_199_254_740_993_i64);
}

async fn what_shopify_objects_is_told(database: &Database) {
    let (simulator, server) = start(database).await;
    let account = link(&server, SHOP).await;
    let denied = server.post("/v1/linked-accounts", by_token(SHOP, "shpat_norights")).await;
    let throttled = json!({ "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits" } }] });
    let taken = json!({ "data": { "webhookSubscriptionCreate": { "webhookSubscription": null, "userErrors": [{ "field": ["webhookSubscription", "uri"], "message": "Address for this topic has already been taken" }] } } });
    let unauthorised = json!({ "errors": "[API] Invalid API key or access token (unrecognized login or wrong password)" });
    let order = "SHOPIFY__ORDER_CREATED";
    let mut filtered = wanted(&account, order);
    filtered["config"] = json!({ "filter": "total_price:>(" });
    let cases = [
        (None, filtered, 422, 422, "webhookSubscription.filter: Filter is invalid"),
        (None, wanted(&denied, order), 422, 403, "Required access: `read_orders` access scope"),
        (
            Some((200, taken)),
            wanted(&account, order),
            422,
            422,
            "Address for this topic has already been taken",
        ),
        (Some((200, throttled)), wanted(&account, order), 422, 429, "Throttled"),
        (
            Some((401, unauthorised)),
            wanted(&account, order),
            422,
            401,
            "Invalid API key or access token",
        ),
        (
            Some((404, json!({ "errors": "Not Found" }))),
            wanted(&account, order),
            422,
            404,
            "Not Found",
        ),
        (
            Some((503, json!({ "errors": "Service Unavailable" }))),
            wanted(&account, order),
            502,
            503,
            "Service Unavailable",
        ),
    ];
    for (fault, request, status, theirs, words) in cases {
        if let Some((status, body)) = fault {
            simulator
                .control("fault", json!({ "next": [{ "status": status, "body": body }] }))
                .await;
        }
        let (answered, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
        assert_eq!(answered, status, "{words}: {problem}");
        assert_eq!(problem["provider"]["status"], theirs, "{words}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        assert!(!problem.to_string().contains("shpat_"), "{problem}");
        assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new(), "{words}");
        assert_eq!(subscriptions(&simulator).await, Vec::<Value>::new(), "{words}");
    }
}

async fn forged_deliveries_are_turned_away(database: &Database) {
    let (simulator, server) = start(database).await;
    let account = link(&server, SHOP).await;
    let trigger = server.post("/v1/triggers", wanted(&account, "SHOPIFY__ORDER_CREATED")).await;
    let id = subscriptions(&simulator).await[0]["id"].clone();
    for (tamper, code) in [
        ("body", "bad_signature"),
        ("wrong_secret", "bad_signature"),
        ("hex", "malformed_signature"),
        ("missing", "missing_signature"),
    ] {
        let job = json!({ "id": id, "body": ORDER, "tamper": tamper });
        let sent = simulator.control("deliver", job).await;
        assert_eq!(
            (&sent["status"], &sent["body"]["code"]),
            (&json!(401), &json!(code)),
            "{tamper}: {sent}"
        );
    }
    assert_eq!(events(&server, &trigger).await, Vec::<Value>::new());
}

async fn a_subscription_that_is_gone_can_be_deleted(database: &Database) {
    let (simulator, server) = start(database).await;
    let account = link(&server, SHOP).await;
    let trigger = server.post("/v1/triggers", wanted(&account, "SHOPIFY__ORDER_CREATED")).await;
    // As Shopify does after eight failures in a row.
    simulator.control("set", json!({ "remove": trigger["external_id"] })).await;
    delete(&server, &trigger).await;
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn a_token_that_is_wrong_is_told_when_it_is_linked(database: &Database) {
    let (_simulator, server) = start(database).await;
    for (request, words) in [
        (by_token(SHOP, "shpat_wrong"), "Invalid API key or access token"),
        (by_token("no-such.myshopify.com", "shpat_valid"), "Not Found"),
    ] {
        let (status, problem) =
            server.call(Method::POST, "/v1/linked-accounts", Some(&request)).await;
        assert_eq!(status, 422, "{problem}");
        assert!(problem.to_string().contains(words), "{problem}");
        assert!(!problem.to_string().contains("shpat_"), "{problem}");
    }
    for shop in ["evil.example", "acme.myshopify.com.evil.example", "acme.myshopify.com/x"] {
        let request = by_token(shop, "shpat_valid");
        let (status, problem) =
            server.call(Method::POST, "/v1/linked-accounts", Some(&request)).await;
        assert_eq!(status, 422, "{shop}: {problem}");
        assert!(problem.to_string().contains("/metadata/shop"), "{shop}: {problem}");
    }
}
