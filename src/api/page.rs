//! Lists, page by page: newest first, continued from where the last page ended.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::store::Page;

const DEFAULT: u32 = 50;
const MOST: u32 = 100;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listing<T> {
    /// The items, newest first.
    pub(super) data: Vec<T>,
    /// Give this as `cursor` for the next page; null on the last one.
    pub(super) next: Option<String>,
}

/// The page that `limit` and `cursor` ask for. It asks the store for one item more, which tells
/// whether there is a next page.
pub(super) fn page(limit: Option<u32>, cursor: Option<&str>) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(DEFAULT);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::query("limit", format!("give a number from 1 to {MOST}")));
    }
    let after = cursor.map(read_cursor).transpose()?;
    Ok(Page { after, limit: limit + 1 })
}

fn read_cursor(cursor: &str) -> Result<String, Problem> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|id| {
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
        .ok_or_else(|| Problem::query("cursor", "give the `next` of the page before, unchanged"))
}

/// A page's answer, from the rows the store found.
pub(super) fn listing<R, T>(
    mut rows: Vec<R>,
    page: &Page,
    id: impl Fn(&R) -> &str,
    show: impl FnMut(R) -> T,
) -> Listing<T> {
    let shown = (page.limit - 1) as usize;
    let more = rows.len() > shown;
    rows.truncate(shown);
    let next = rows.last().filter(|_| more).map(|row| BASE64URL_NOPAD.encode(id(row).as_bytes()));
    Listing { data: rows.into_iter().map(show).collect(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_and_a_tampered_one_is_refused() {
        let asked = page(Some(2), None).ok().unwrap_or_else(|| unreachable!("2 is a fine limit"));
        let ids = ["evt_3", "evt_2", "evt_1"].map(str::to_owned).to_vec();
        let first = listing(ids, &asked, |id| id, |id| id);
        assert_eq!(first.data, ["evt_3", "evt_2"]);
        let next = page(None, first.next.as_deref()).ok().and_then(|page| page.after);
        assert_eq!(next.as_deref(), Some("evt_2"));
        for bad in ["", "???", "ZXZ0XzI=", "JyBPUiAxPTE"] {
            assert!(page(None, Some(bad)).is_err(), "{bad}");
        }
        assert!(page(Some(0), None).is_err() && page(Some(101), None).is_err());
    }
}
