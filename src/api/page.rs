//! Lists, page by page: newest first, continued from where the last page ended.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::{ids, store::Page};

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

/// The page that `limit` and `cursor` ask for, of a list whose ids have this prefix. It asks the store for one item more, which tells
/// whether there is a next page.
pub(super) fn page(
    prefix: &str,
    limit: Option<u32>,
    cursor: Option<&str>,
) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(DEFAULT);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::query("limit", format!("give a number from 1 to {MOST}")));
    }
    let after = cursor.map(|cursor| read_cursor(prefix, cursor)).transpose()?;
    Ok(Page { after, limit: limit + 1 })
}

fn read_cursor(prefix: &str, cursor: &str) -> Result<String, Problem> {
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|id| ids::valid(prefix, id))
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
    fn a_cursor_leads_on_through_its_own_list() -> Result<(), Problem> {
        let mut found: Vec<String> = (0..3).map(|_| ids::new(ids::EVENT)).collect();
        found.reverse();
        let asked = page(ids::EVENT, Some(2), None)?;
        assert_eq!(asked.limit, 3, "one more, to know whether there is more");
        let first = listing(found.clone(), &asked, |id| id, |id| id);
        assert_eq!(first.data, found[..2]);
        let cursor = first.next.as_deref();
        assert_eq!(page(ids::EVENT, None, cursor)?.after.as_deref(), Some(found[1].as_str()));
        assert!(page(ids::TRIGGER, None, cursor).is_err(), "of another list");
        let last = listing(found[2..].to_vec(), &page(ids::EVENT, None, cursor)?, |id| id, |id| id);
        assert_eq!((last.data, last.next), (found[2..].to_vec(), None));
        Ok(())
    }

    #[test]
    fn a_tampered_cursor_is_refused() {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let good = encode(&ids::new(ids::EVENT));
        let cut = &good[..good.len() - 1];
        let texts = ["", "???", "ZXZ0XzI=", cut, &encode("evt_2"), &encode("' OR 1=1"), "_____w"];
        for bad in texts {
            let told = page(ids::EVENT, None, Some(bad)).map(|page| page.after);
            assert!(told.is_err(), "`{bad}` was taken as {told:?}");
        }
    }

    #[test]
    fn a_limit_out_of_range_is_refused() {
        for limit in [0, 101, u32::MAX] {
            assert!(page(ids::EVENT, Some(limit), None).is_err(), "{limit}");
        }
    }
}
