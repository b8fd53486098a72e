//! The rules by name: what their codes are, how much they matter, and why.

use std::fmt;

use serde::{Serialize, Serializer};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something to mend: `hearken app check --strict` fails on it.
    Warning,
    /// Something to know.
    Note,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $level:ident, $why:literal;)*) => {
        /// What is looked for in a folder.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Rule { $($(#[$doc])* $name,)* }

        impl Rule {
            /// Every rule, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its stable name.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How much a finding matters.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// Why it matters, in one sentence.
            pub fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }
        }
    };
}

rules! {
    /// A subscription that expires, and no `renew`.
    RenewMissing = "renew-missing", Warning,
        "The provider lets the subscription lapse, and deliveries end without an error.";
    /// `register` without `unregister`.
    UnregisterMissing = "unregister-missing", Warning,
        "Triggers that are deleted here would go on being delivered by the provider.";
    /// `register` without `status`.
    StatusMissing = "status-missing", Note,
        "Without it nobody learns that a subscription was switched off at the provider.";
    /// Deliveries are not verified.
    Unverified = "unverified", Note,
        "Anybody who knows the URL can send events, and the app is shown as unverified.";
    /// A URL in the script whose host is not listed.
    HostUnlisted = "host-unlisted", Warning,
        "A call to a host that is not listed is refused when the script makes it.";
    /// A listed host that nothing mentions.
    HostUnused = "host-unused", Warning,
        "Every listed host is one that a mistake in the script could send credentials to.";
    /// A sample that every such app needs.
    SampleMissing = "sample-missing", Warning,
        "What no sample shows, nothing proves; `hearken app test` fails for it too.";
    /// A function nobody calls.
    FunctionUnused = "function-unused", Warning,
        "Neither the engine nor the script calls it: it is left over, or its name is wrong.";
    /// An entry point that this version does not call.
    FunctionIdle = "function-idle", Warning,
        "This version knows the function but never calls it.";
    /// A trigger that takes everything, beside others.
    MatchMissing = "match-missing", Warning,
        "With several triggers, one without a match takes the deliveries of all of them.";
    /// Configuration that nothing reads.
    ConfigUnread = "config-unread", Warning,
        "Users fill it in, and nothing comes of it.";
    /// Data that does not fit its own schema.
    PayloadMisfit = "payload-misfit", Warning,
        "Consumers are promised the payload schema, and the app's own sample breaks it.";
    /// No set-up guide.
    GuideMissing = "guide-missing", Warning,
        "Users find no set-up guide.";
    /// No icon.
    IconMissing = "icon-missing", Warning,
        "The app is shown without a picture.";
    /// Facts below R3.
    GradeLow = "grade-low", Note,
        "Nothing below R3 is called verified.";
    /// R3 or more, without a source that shows it.
    GradeUnproven = "grade-unproven", Warning,
        "R3 means that a signature was checked with something independent of the documentation.";
    /// A scalar that YAML readers disagree on.
    ScalarAmbiguous = "scalar-ambiguous", Warning,
        "YAML 1.1 and 1.2 read it differently, so editors and tools may see another value.";
    /// What `app new` left to be replaced.
    PlaceholderLeft = "placeholder-left", Warning,
        "`hearken app new` put an example there, and no provider works like the example.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
