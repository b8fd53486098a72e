//! Apps: what can be listened to, and what is wrong with a definition.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use hearken_engine::{
    App, Catalogue, Problem as Defect, TriggerType,
    definition::{Auth, Facts},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, extract::Slug, problem::Problem};
use crate::context::Shared;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_apps)).routes(routes!(get_app))
}

/// An app in a list.
#[derive(Debug, Serialize, ToSchema)]
struct AppSummary {
    /// Name in URLs and in trigger names.
    slug: String,
    /// Human name.
    title: String,
    /// Kind of app.
    category: String,
    /// One sentence.
    description: String,
    /// How well its facts are known, R1 to R5; nothing below R3 is called verified.
    grade: Value,
    /// Whether deliveries are verified.
    verified: bool,
    /// Content hash of the definition that serves.
    version: String,
    /// Full names of its triggers.
    triggers: Vec<String>,
    /// Triggers the project has of it, by status.
    counts: BTreeMap<String, i64>,
}

/// All apps, and what is wrong with definitions.
#[derive(Debug, Serialize, ToSchema)]
struct AppList {
    /// The apps that serve.
    data: Vec<AppSummary>,
    /// Defects of definitions, also of those that never loaded.
    problems: Vec<DefectView>,
}

/// A defect of a definition, with its place.
#[derive(Debug, Serialize, ToSchema)]
struct DefectView {
    /// App it is about; empty for the apps folder itself.
    app: String,
    /// File, relative to the apps folder.
    file: String,
    /// Line, from 1.
    line: Option<usize>,
    /// Column, from 1.
    column: Option<usize>,
    /// Field at fault.
    field: Option<String>,
    /// What is wrong.
    message: String,
    /// What to do.
    hint: Option<String>,
}

/// One app in full.
#[derive(Debug, Serialize, ToSchema)]
struct AppView {
    /// Name in URLs and in trigger names.
    slug: String,
    /// Human name.
    title: String,
    /// Kind of app.
    category: String,
    /// One sentence.
    description: String,
    /// The provider's own page.
    homepage: Option<String>,
    /// The provider's documentation of its webhooks.
    docs: String,
    /// Where the facts come from, and how well they are known.
    #[schema(value_type = Object)]
    facts: Facts,
    /// The ways to link an account, each with the JSON Schema of its credentials.
    #[schema(value_type = Vec<Object>)]
    auth: Vec<Auth>,
    /// Hosts that registration calls may reach.
    hosts: Vec<String>,
    /// Whether deliveries are verified.
    verified: bool,
    /// Why they are not, where they are not.
    unverified: Option<String>,
    /// Content hash of the definition that serves.
    version: String,
    /// Set-up guide in Markdown.
    guide: Option<String>,
    /// Its trigger types.
    triggers: Vec<TriggerTypeView>,
    /// Defects of the newest definition; the last good one goes on serving.
    problems: Vec<DefectView>,
}

/// A trigger type.
#[derive(Debug, Serialize, ToSchema)]
struct TriggerTypeView {
    /// Full name, such as `ACME__PUSH`.
    name: String,
    /// Type of its events, such as `acme.push`.
    #[serde(rename = "type")]
    event_type: String,
    /// Human name.
    title: String,
    /// One sentence.
    description: String,
    /// JSON Schema of the configuration.
    #[schema(value_type = Value)]
    config_schema: Arc<Value>,
    /// JSON Schema of the events' data.
    #[schema(value_type = Value)]
    payload_schema: Arc<Value>,
    /// Data of an example event, taken from the app's samples.
    sample: Option<Value>,
}

/// List apps, with the defects of definitions.
#[utoipa::path(get, path = "/v1/apps", tag = "Apps",
    responses((status = 200, body = AppList)))]
async fn list_apps(
    State(context): State<Shared>,
    caller: Caller,
) -> Result<Json<AppList>, Problem> {
    let mut counts: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for count in context.store.trigger_counts(&caller.project_id).await? {
        counts.entry(count.app).or_default().insert(count.status, count.count);
    }
    let catalogue = context.catalogue.snapshot();
    let data =
        catalogue.apps().map(|app| summary(app, counts.remove(&app.slug).unwrap_or_default()));
    let problems = catalogue.problems().iter();
    Ok(Json(AppList {
        data: data.collect(),
        problems: problems.flat_map(|(slug, defects)| views(slug, defects)).collect(),
    }))
}

/// Get an app: triggers, schemas, ways to link an account, set-up guide, defects.
#[utoipa::path(get, path = "/v1/apps/{app}", tag = "Apps", params(("app" = String, Path, description = "Slug")),
    responses((status = 200, body = AppView)))]
async fn get_app(
    State(context): State<Shared>,
    _caller: Caller,
    Slug(slug): Slug,
) -> Result<Json<AppView>, Problem> {
    let catalogue = context.catalogue.snapshot();
    let app = find(&catalogue, &slug)?;
    let samples = hearken_engine::sample::examples(&context.config.apps_dir, app);
    let defects = catalogue.problems().get(&slug).map(Vec::as_slice).unwrap_or_default();
    let definition = &app.definition;
    let trigger = |kind: &TriggerType| TriggerTypeView {
        name: kind.name.clone(),
        event_type: kind.event_type.clone(),
        title: kind.title.clone(),
        description: kind.description.clone(),
        config_schema: kind.config_schema.clone(),
        payload_schema: kind.payload_schema.clone(),
        sample: samples.get(&kind.name).cloned(),
    };
    Ok(Json(AppView {
        slug: app.slug.clone(),
        title: definition.title.clone(),
        category: definition.category.clone(),
        description: definition.description.clone(),
        homepage: definition.homepage.clone(),
        docs: definition.docs.clone(),
        facts: definition.facts.clone(),
        auth: definition.auth.clone(),
        hosts: definition.hosts.clone(),
        verified: app.scheme().is_signed(),
        unverified: definition.unverified.clone(),
        version: app.version.clone(),
        guide: app.guide.clone(),
        triggers: app.triggers().iter().map(trigger).collect(),
        problems: views(&slug, defects).collect(),
    }))
}

/// The app a client names, or where it went wrong.
pub(super) fn find<'c>(catalogue: &'c Catalogue, slug: &str) -> Result<&'c Arc<App>, Problem> {
    let app = catalogue.app(slug);
    app.ok_or_else(|| match catalogue.problems().get(slug) {
        Some(defects) => Problem::not_found(format!(
            "the app `{slug}` does not load: {}",
            defects.first().map(ToString::to_string).unwrap_or_default()
        )),
        None => Problem::not_found(format!("there is no app `{slug}`; see GET /v1/apps")),
    })
}

fn summary(app: &App, counts: BTreeMap<String, i64>) -> AppSummary {
    AppSummary {
        slug: app.slug.clone(),
        title: app.definition.title.clone(),
        category: app.definition.category.clone(),
        description: app.definition.description.clone(),
        grade: serde_json::to_value(app.definition.facts.grade).unwrap_or_default(),
        verified: app.scheme().is_signed(),
        version: app.version.clone(),
        triggers: app.triggers().iter().map(|kind| kind.name.clone()).collect(),
        counts,
    }
}

fn views<'a>(slug: &'a str, defects: &'a [Defect]) -> impl Iterator<Item = DefectView> + 'a {
    defects.iter().cloned().map(move |defect| DefectView {
        app: slug.to_owned(),
        file: defect.file,
        line: defect.line,
        column: defect.column,
        field: defect.field,
        message: defect.message,
        hint: defect.hint,
    })
}
