//! The families of signatures that `hearken app new` knows: what stands in the script for each.

use clap::ValueEnum;

/// How deliveries are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Scheme {
    /// HMAC-SHA256 over the body
    Hmac,
    /// HMAC-SHA256 over a time and the body
    HmacTimestamp,
    /// Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature)
    StandardWebhooks,
    /// The secret itself in a header
    Token,
    /// User and password (HTTP basic authentication)
    Basic,
    /// Ed25519 over a time and the body, with the provider's public key
    Ed25519,
    /// A token (JWT, HS256) that holds a hash of the body
    Jwt,
    /// Nothing is signed
    None,
}

/// How signatures are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Encoding {
    /// 0123abcd
    #[default]
    Hex,
    /// With padding
    Base64,
}

/// Where a signature stands and how it is written.
#[derive(Debug)]
pub(super) struct Form<'a> {
    pub(super) header: &'a str,
    pub(super) prefix: &'a str,
    pub(super) encoding: Encoding,
}

/// Whose secret it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Each trigger's own, made here.
    Trigger,
    /// The account's, under this name and title.
    Account(&'static str, &'static str),
    /// There is none.
    Nobody,
}

impl Scheme {
    /// Whether it has a header of the provider's own naming.
    pub(super) fn has_header(self) -> bool {
        matches!(self, Self::Hmac | Self::HmacTimestamp | Self::Token | Self::Ed25519)
    }

    /// Whether it signs the time.
    pub(super) fn has_timestamp(self) -> bool {
        matches!(self, Self::HmacTimestamp | Self::StandardWebhooks | Self::Ed25519 | Self::Jwt)
    }

    /// Whether the secret itself is sent, whatever the body is.
    pub(super) fn is_bare(self) -> bool {
        matches!(self, Self::Token | Self::Basic)
    }

    /// Whose secret it is.
    pub(super) fn owner(self) -> Owner {
        match self {
            Self::Hmac | Self::HmacTimestamp | Self::StandardWebhooks | Self::Token | Self::Jwt => {
                Owner::Trigger
            }
            Self::Ed25519 => Owner::Account("public_key", "Public key"),
            Self::Basic => Owner::Account("webhook_secret", "User and password as user:password"),
            Self::None => Owner::Nobody,
        }
    }

    /// How a secret of ours is written.
    pub(super) fn secret_encoding(self) -> &'static str {
        if self == Self::StandardWebhooks { "base64" } else { "hex" }
    }

    /// The map that `signature()` returns.
    pub(super) fn description(self, form: &Form<'_>) -> String {
        let header = text(form.header);
        let prefix = match form.prefix {
            "" => String::new(),
            prefix => format!("\n        prefix: {},", text(prefix)),
        };
        let encoding = match form.encoding {
            Encoding::Hex => "hex",
            Encoding::Base64 => "base64",
        };
        let hmac = |message: &str, more: &str| {
            format!(
                "#{{\n        kind: \"hmac\",\n        algorithm: \"sha256\",\n        header: {header},{prefix}\n        \
                 encoding: \"{encoding}\",\n        message: \"{message}\",{more}\n    }}"
            )
        };
        match self {
            Self::Hmac => hmac("{body}", ""),
            Self::HmacTimestamp => {
                let time = text(&timestamp_header(form.header));
                let more = format!(
                    "\n        timestamp: #{{ header: {time}, unit: \"s\", tolerance: 300 }},"
                );
                hmac("{timestamp}.{body}", &more)
            }
            Self::StandardWebhooks => "#{ kind: \"standard_webhooks\" }".to_owned(),
            Self::Token => {
                format!("#{{\n        kind: \"token\",\n        header: {header},{prefix}\n    }}")
            }
            Self::Basic => "#{ kind: \"token\", basic: true }".to_owned(),
            Self::Ed25519 => {
                let time = text(&timestamp_header(form.header));
                format!(
                    "#{{\n        kind: \"ed25519\",\n        public_key: #{{ secret: \"hex\" }},\n        \
                     header: {header},{prefix}\n        encoding: \"{encoding}\",\n        \
                     message: \"{{timestamp}}{{body}}\",\n        \
                     timestamp: #{{ header: {time}, unit: \"s\", tolerance: 300 }},\n    }}"
                )
            }
            Self::Jwt => "#{\n        kind: \"jwt\",\n        header: \"Authorization\",\n        \
                          prefix: \"Bearer \",\n        jwt: #{ algorithms: [\"HS256\"], \
                          body_hash: #{ claim: \"sha256\" } },\n    }"
                .to_owned(),
            Self::None => String::new(),
        }
    }
}

/// The header of the time beside that of the signature.
pub(super) fn timestamp_header(signature: &str) -> String {
    match signature.strip_suffix("Signature") {
        Some(start) => format!("{start}Timestamp"),
        None => "X-Timestamp".to_owned(),
    }
}

/// Text as the script language writes it, which is as JSON does.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
