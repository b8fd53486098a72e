//! How a script ends other than by returning: the errors host functions raise, and what the
//! author is told about any of them.

use rhai::{Dynamic, EvalAltResult, Position};

use super::{
    LifecycleError, ScriptError,
    engine::{MAX_CALLS, MAX_ITEMS, MAX_OPERATIONS, MAX_STRING},
    meter::{MAX_MEMORY, MAX_TIME, Overrun},
    secret::Secret,
};

/// Characters of a message.
const MAX_MESSAGE: usize = 500;

/// What a host function returns.
pub(super) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// An ending with a meaning of its own, carried through the script as the thrown value.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    /// `skip(reason)`.
    Skipped(String),
    /// A host function of a lifecycle call failed.
    Lifecycle(LifecycleError),
}

impl Ending {
    /// As an error to return from a host function.
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "host functions return boxed errors, and so does what they return with"
    )]
    pub(super) fn raise(self) -> Box<EvalAltResult> {
        EvalAltResult::ErrorRuntime(Dynamic::from(self), Position::NONE).into()
    }

    /// What a script sees that catches it and prints it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Skipped(reason) => reason.clone(),
            Self::Lifecycle(error) => error.to_string(),
        }
    }
}

/// A plain error with a sentence for the author.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "host functions return boxed errors, and so does what they return with"
)]
pub(super) fn fault(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// Splits an error into the ending it carries, or what to tell the author.
pub(super) fn explain(function: &str, error: EvalAltResult) -> Result<Ending, ScriptError> {
    let (error, position) = innermost(error);
    let error = match error {
        EvalAltResult::ErrorRuntime(thrown, place) => match thrown.try_cast_result::<Ending>() {
            Ok(ending) => return Ok(ending),
            Err(thrown) => EvalAltResult::ErrorRuntime(thrown, place),
        },
        other => other,
    };
    let exhausted = matches!(
        error,
        EvalAltResult::ErrorTerminated(..) | EvalAltResult::ErrorTooManyOperations(_)
    );
    Err(ScriptError {
        function: function.to_owned(),
        exhausted,
        message: shorten(sentence(error)),
        line: position.line(),
        column: position.position(),
    })
}

/// The error at the bottom of a chain of calls, and the place nearest to it that is known.
fn innermost(mut error: EvalAltResult) -> (EvalAltResult, Position) {
    let mut nearest = error.position();
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
        error = *inner;
        if !error.position().is_none() {
            nearest = error.position();
        }
    }
    (error, nearest)
}

fn sentence(error: EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_text(thrown),
        EvalAltResult::ErrorTerminated(token, _) => match token.try_cast::<Overrun>() {
            Some(Overrun::Memory) => format!("it used more than {} MB", MAX_MEMORY >> 20),
            _ => format!("it ran longer than {} ms", MAX_TIME.as_millis()),
        },
        EvalAltResult::ErrorTooManyOperations(_) => {
            format!("it ran more than {MAX_OPERATIONS} operations; is there an endless loop?")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            format!("functions call one another more than {MAX_CALLS} levels deep")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => format!(
            "a value is too large ({what}): strings hold {MAX_STRING} bytes, arrays and maps \
             {MAX_ITEMS} entries"
        ),
        EvalAltResult::ErrorFor(_) => "`for` needs something to loop over; where it may be \
             missing, write `items ?? []`"
            .to_owned(),
        EvalAltResult::ErrorDotExpr(message, _) => property(&message),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            format!("there is no function `{signature}`")
        }
        mut other => {
            other.set_position(Position::NONE);
            other.to_string()
        }
    }
}

/// Cuts a message down to what somebody will read.
fn shorten(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// Says in plain words that a value has no such field.
fn property(message: &str) -> String {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    match quoted[..] {
        [field, kind] => format!("a value of type `{kind}` has no field `{field}`"),
        [field, "Json", _] => {
            format!("`{field}` cannot be set: Json is read-only; make a copy with `to_map()` first")
        }
        [field, kind, _] => format!("`{field}` cannot be set on a value of type `{kind}`"),
        _ => message.to_owned(),
    }
}

fn thrown_text(thrown: Dynamic) -> String {
    if thrown.is_unit() {
        return "it threw an error without a message".to_owned();
    }
    match thrown.try_cast_result::<Secret>() {
        Ok(_) => super::secret::MASK.to_owned(),
        Err(thrown) => super::natives::text(&thrown),
    }
}
