//! Asking the provider what a thin app's notice is about.

use std::sync::Arc;

use hearken_engine::{App, Expanded, document::Document};

use super::{Failure, call::Call, refusal::gone};
use crate::{context::Shared, store::model::Trigger};

/// Runs the script's `expand` from the trigger's cursor on; nothing is stored.
pub(crate) async fn expand(
    context: &Shared,
    trigger: &Trigger,
    notice: Option<Document>,
) -> Result<(Arc<App>, Expanded), Failure> {
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&trigger.app).cloned().ok_or_else(|| gone(trigger))?;
    let call = Call::existing(context, app.clone(), trigger).await?;
    let expanded = call.expand(notice).await?;
    let moved = expanded.cursor.is_some() || !expanded.events.is_empty();
    if expanded.more && !moved {
        return Err(Failure::new(
            "the app's script says there is more, but it neither found an event nor moved the cursor",
        ));
    }
    Ok((app, expanded))
}
