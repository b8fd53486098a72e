//! Every function a script can call, as a reviewed list: one that a new version of the script
//! language adds, or changes, shows up here before it reaches anybody's server.

use std::{fs, path::Path};

#[expect(clippy::disallowed_methods, reason = "the variable is for whoever runs the tests")]
#[test]
fn native_functions_are_the_reviewed_ones() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native_functions.txt");
    let actual = hearken_engine::script::native_functions().join("\n") + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &actual).unwrap();
    }
    let reviewed = fs::read_to_string(&file).unwrap();
    let new: Vec<&str> =
        actual.lines().filter(|line| !reviewed.lines().any(|known| known == *line)).collect();
    let gone: Vec<&str> =
        reviewed.lines().filter(|line| !actual.lines().any(|known| known == *line)).collect();
    assert!(
        actual == reviewed,
        "review what these can do to time and memory, then bless with UPDATE_EXPECT=1\n\
         new: {new:#?}\ngone: {gone:#?}"
    );
}
