//! Every app folder of the project loads, and its samples pass.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::path::Path;

use hearken_engine::Catalogue;

#[test]
fn every_app_folder_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("apps");
    let catalogue = Catalogue::load(&root, None);
    let problems: Vec<String> =
        catalogue.problems().values().flatten().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(catalogue.apps().count() > 0, "no app in {}", root.display());
}
