//! The token endpoint of an authorisation server (RFC 6749, sections 4.1.3, 5 and 6): codes and
//! refresh tokens in, access tokens out. No error here carries a secret.

use data_encoding::BASE64;
use hearken_engine::{
    HttpError, HttpRequest,
    definition::{ClientAuthentication, OAuth2},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::credentials::Credentials;
use crate::egress::Rerouted;

/// Characters of a provider's own words that are passed on.
const WORDS: usize = 300;
/// Seconds in ten years: what lasts longer is taken to last for ever.
const LONGEST: i64 = 10 * 365 * 24 * 3600;

/// Who asks: the provider app's client, at the app's token endpoint.
pub struct Client<'a> {
    /// The flow as the app defines it.
    pub oauth2: &'a OAuth2,
    /// Where the endpoint is, placeholders filled in.
    pub url: String,
    /// The provider app's credentials, `client_id` and `client_secret` among them.
    pub credentials: &'a Credentials,
    /// The way out.
    pub way_out: Rerouted,
}

/// What is handed in.
pub enum Grant<'a> {
    /// The code of an authorisation flow.
    Code {
        /// The code.
        code: &'a SecretString,
        /// The redirect URL of the flow.
        redirect_url: &'a str,
        /// The PKCE verifier (RFC 7636), where the flow has one.
        verifier: Option<&'a SecretString>,
    },
    /// A refresh token.
    Refresh(&'a SecretString),
}

/// What comes out.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access: SecretString,
    /// The refresh token; where there is none, the old one goes on.
    pub refresh: Option<SecretString>,
    /// Seconds the access token lasts.
    pub lasts: Option<i64>,
}

/// No tokens came.
#[derive(Debug, Clone, Error)]
pub enum TokenError {
    /// What was handed in is not, or no longer, good: the owner has to consent again.
    #[error("{0}")]
    Grant(String),
    /// The provider app itself, or the definition of the flow, is refused.
    #[error("{0}")]
    Refused(String),
    /// The endpoint cannot answer now.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// Seconds the provider asks to wait.
        retry_after: Option<u64>,
    },
}

impl Client<'_> {
    /// Exchanges a grant for tokens.
    pub async fn exchange(&self, grant: &Grant<'_>) -> Result<Tokens, TokenError> {
        let answer = self.way_out.call(self.request(grant)?).await.map_err(|error| {
            let reason = match error {
                HttpError::Timeout { seconds } => {
                    format!("the token endpoint did not answer within {seconds} s")
                }
                other => format!("the token endpoint cannot be called: {other}"),
            };
            TokenError::Unavailable { reason, retry_after: None }
        })?;
        let json: Option<Map<String, Value>> = serde_json::from_slice(&answer.body).ok();
        if (200..300).contains(&answer.status)
            && let Some(tokens) = json.as_ref().and_then(tokens)
        {
            return Ok(tokens);
        }
        let retry_after = answer.headers.get("retry-after").and_then(|text| text.parse().ok());
        Err(self.explain(answer.status, json.as_ref(), retry_after, grant))
    }

    fn request(&self, grant: &Grant<'_>) -> Result<HttpRequest, TokenError> {
        let (id, secret) = (self.credential("client_id")?, self.credential("client_secret")?);
        let mut form = Serializer::new(String::new());
        match grant {
            Grant::Code { code, redirect_url, verifier } => {
                form.append_pair("grant_type", "authorization_code")
                    .append_pair("code", code.expose_secret())
                    .append_pair("redirect_uri", redirect_url)
                    .extend_pairs(&self.oauth2.token_parameters);
                if let Some(verifier) = verifier {
                    form.append_pair("code_verifier", verifier.expose_secret());
                }
            }
            Grant::Refresh(token) => {
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token.expose_secret());
            }
        }
        let mut headers = vec![
            ("Accept".to_owned(), "application/json".into()),
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".into()),
            ("User-Agent".to_owned(), concat!("Hearken/", env!("CARGO_PKG_VERSION")).into()),
        ];
        match self.oauth2.client_authentication {
            ClientAuthentication::Body => {
                form.append_pair("client_id", id.expose_secret())
                    .append_pair("client_secret", secret.expose_secret());
            }
            ClientAuthentication::Basic => {
                let encode = |text: &SecretString| -> String {
                    byte_serialize(text.expose_secret().as_bytes()).collect()
                };
                let pair = BASE64.encode(format!("{}:{}", encode(id), encode(secret)).as_bytes());
                headers.push(("Authorization".to_owned(), format!("Basic {pair}").into()));
            }
        }
        let (method, body) = ("POST".to_owned(), Some(form.finish().into_bytes()));
        Ok(HttpRequest { method, url: self.url.clone(), headers, body })
    }

    fn credential(&self, name: &str) -> Result<&SecretString, TokenError> {
        let missing = || TokenError::Refused(format!("the provider app has no `{name}`"));
        self.credentials.get(name).ok_or_else(missing)
    }

    /// What an answer without tokens means. Some providers answer errors with status 200.
    fn explain(
        &self,
        status: u16,
        json: Option<&Map<String, Value>>,
        retry_after: Option<u64>,
        grant: &Grant<'_>,
    ) -> TokenError {
        let text = |name: &str| json.and_then(|json| json.get(name)).and_then(Value::as_str);
        if status == 429 || status >= 500 {
            let reason = format!("the token endpoint answered {status}");
            return TokenError::Unavailable { reason, retry_after };
        }
        let Some(code) = text("error") else {
            let reason = format!("the token endpoint answered {status} without tokens");
            return TokenError::Unavailable { reason, retry_after };
        };
        let words = match text("error_description") {
            Some(description) => format!("{code}: {description}"),
            None => code.to_owned(),
        };
        let words = format!("the provider answered {}", self.scrub(&words, grant));
        // Section 5.2 has one code for this; some providers name the token instead.
        if code == "invalid_grant" || code.contains("refresh_token") {
            TokenError::Grant(words)
        } else {
            TokenError::Refused(words)
        }
    }

    /// A provider's words on one line, without any secret of the call.
    fn scrub(&self, words: &str, grant: &Grant<'_>) -> String {
        let given = match grant {
            Grant::Code { code, verifier, .. } => [Some(*code), *verifier],
            Grant::Refresh(token) => [Some(*token), None],
        };
        let secrets = self.credentials.values().chain(given.into_iter().flatten());
        let mut words = words.to_owned();
        for secret in secrets.map(ExposeSecret::expose_secret).filter(|secret| secret.len() >= 4) {
            words = words.replace(secret, "[secret]").replace(&encoded(secret), "[secret]");
        }
        let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().filter(|c| !c.is_control()).take(WORDS).collect()
    }
}

/// The tokens of a successful answer (RFC 6749, section 5.1).
fn tokens(json: &Map<String, Value>) -> Option<Tokens> {
    let secret = |name: &str| {
        let text = json.get(name)?.as_str().filter(|text| !text.is_empty())?;
        Some(SecretString::from(text))
    };
    let lasts = json.get("expires_in").and_then(|value| {
        let text = value.as_str().and_then(|text| text.parse().ok());
        #[expect(clippy::cast_possible_truncation, reason = "fractions of seconds do not matter")]
        let number = || value.as_f64().map(|number| number as i64);
        text.or_else(number)
    });
    Some(Tokens {
        access: secret("access_token")?,
        refresh: secret("refresh_token"),
        lasts: lasts.filter(|seconds| (1..LONGEST).contains(seconds)),
    })
}

/// Fills in a URL's placeholders: `{base_url}` as it is, and public facts percent-encoded, so
/// that none of them reaches beyond its place.
pub fn fill_in(template: &str, base_url: &str, facts: &Value) -> Result<String, String> {
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a `{` is never closed")?;
        filled.push_str(before);
        match (name, facts.get(name)) {
            ("base_url", _) => filled.push_str(base_url),
            (_, Some(Value::String(fact))) if !fact.is_empty() => {
                filled.push_str(&encoded(fact));
            }
            (_, Some(Value::Number(fact))) => filled.push_str(&fact.to_string()),
            _ => return Err(format!("the public fact `{name}` is missing")),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fact_never_leaves_its_place_in_a_url() {
        let fill = |template: &str, fact: &str| {
            fill_in(template, "https://api.example", &json!({ "shop": fact, "n": 7 }))
        };
        let filled = |url: &str| Ok(url.to_owned());
        assert_eq!(fill("{base_url}/t/{shop}/{n}", "a-b"), filled("https://api.example/t/a-b/7"));
        let hostile = "x/@evil.example?#%";
        let url = "https://x%2F%40evil.example%3F%23%25.shop.example/t";
        assert_eq!(fill("https://{shop}.shop.example/t", hostile), filled(url));
        assert!(fill("https://{team}.example", "a").is_err(), "it is missing");
        assert!(fill("https://{shop", "a").is_err(), "it is never closed");
        assert!(fill("https://{shop}", "").is_err(), "it is empty");
    }

    #[test]
    fn tokens_are_read_with_care() {
        let read = |json: Value| json.as_object().and_then(tokens).map(|tokens| tokens.lasts);
        assert_eq!(read(json!({ "access_token": "a", "expires_in": 60 })), Some(Some(60)));
        assert_eq!(read(json!({ "access_token": "a", "expires_in": "60" })), Some(Some(60)));
        assert_eq!(read(json!({ "access_token": "a", "expires_in": 59.9 })), Some(Some(59)));
        for never in [json!(null), json!(0), json!(-1), json!(1e300), json!("soon"), json!([])] {
            assert_eq!(read(json!({ "access_token": "a", "expires_in": never })), Some(None));
        }
        for none in [json!({}), json!({ "access_token": "" }), json!({ "access_token": 1 })] {
            assert_eq!(read(none), None);
        }
    }
}
