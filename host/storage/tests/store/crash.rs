//! Processes that are killed while they write.

use serde_json::Value;

use crate::place::folder;
use crate::sharing::{acknowledged, assert_stored, open, writer};

#[tokio::test]
async fn what_was_acknowledged_survives_the_death_of_its_writer() {
    let (folder, _) = folder();
    let place = folder.path().to_str().unwrap();
    let mut names = Vec::new();
    for round in 0..8 {
        let prefix = format!("round{round}x");
        let mut child = writer(place, &prefix, usize::MAX);
        let stored = acknowledged(&mut child, 10 + round);
        assert_eq!(stored.len(), 10 + round);
        names.extend(stored);
        child.kill().unwrap();
        child.wait().unwrap();

        let storage = open(place);
        assert_stored(storage.as_ref(), &names).await;
        let index = std::fs::read(folder.path().join("artifacts/.artifacts.json")).unwrap();
        assert!(serde_json::from_slice::<Value>(&index).unwrap().is_object());
        assert!(storage.workflows().problems().await.unwrap().is_empty(), "no half a workflow");
        // What was saved and not acknowledged is whole, too.
        for info in storage.artifacts().list().await.unwrap() {
            storage.artifacts().load(&info.name).await.unwrap();
        }
    }
}
