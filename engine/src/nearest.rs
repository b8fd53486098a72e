//! The nearest known name to a misspelt one, for diagnostics.

/// Furthest edit distance at which a name is still worth proposing.
const DISTANCE: usize = 3;

/// `; did you mean `x`?`, or nothing where no candidate is near.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// The candidate nearest to `name`, if one is near enough to have been meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Of a word of two letters every other one is near.
    let length = name.chars().count();
    let allowed = if length < 3 { 0 } else { DISTANCE.min(length.div_ceil(2)) };
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}
