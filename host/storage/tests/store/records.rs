//! Records, the same in every place.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pcm_storage::{
    FileRecords, MAX_RECORD_BYTES, MemoryRecords, RecordKey, RecordKind, Records, RedisRecords,
};

use crate::server::Server;

const LONG: Duration = Duration::from_hours(1);
const SHORT: Duration = Duration::from_millis(1);

fn key(kind: RecordKind, id: &str) -> RecordKey {
    RecordKey::new(kind, id).unwrap()
}

fn session(id: &str) -> RecordKey {
    key(RecordKind::Session, id)
}

#[tokio::test]
async fn records_in_memory() {
    let records = MemoryRecords::new();
    hold(&records, &records.clone()).await;
}

#[tokio::test]
async fn records_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FileRecords::open(folder.path()).unwrap();
    hold(&open(), &open()).await;
}

#[tokio::test]
async fn records_in_redis() {
    let server = Server::start();
    let open = |prefix| RedisRecords::on(&server.open(), prefix);
    hold(&open("app"), &open("app")).await;
    open("app").put(&session("a"), b"1".to_vec(), LONG).await.unwrap();
    assert_eq!(open("other").get(&session("a")).await.unwrap(), None);
}

/// `other` knows of the same place what `records` has written.
async fn hold(records: &dyn Records, other: &dyn Records) {
    assert_eq!(records.get(&session("a")).await.unwrap(), None);
    assert_eq!(records.list(RecordKind::Session).await.unwrap(), []);
    records.remove(&session("a")).await.unwrap();

    // Bytes of every kind, replaced and removed; kinds are apart.
    let bytes: Vec<u8> = (0..=255).collect();
    records.put(&session("b"), b"first".to_vec(), LONG).await.unwrap();
    records.put(&session("b"), bytes.clone(), LONG).await.unwrap();
    records.put(&session("a"), Vec::new(), LONG).await.unwrap();
    records.put(&key(RecordKind::Node, "b"), b"n".to_vec(), LONG).await.unwrap();
    assert_eq!(other.get(&session("b")).await.unwrap(), Some(bytes.clone()));
    let all = [("a".to_owned(), Vec::new()), ("b".to_owned(), bytes)];
    assert_eq!(other.list(RecordKind::Session).await.unwrap(), all);
    other.remove(&session("b")).await.unwrap();
    assert_eq!(records.get(&session("b")).await.unwrap(), None);
    assert_eq!(records.list(RecordKind::Session).await.unwrap(), all[..1]);
    assert_eq!(records.list(RecordKind::Node).await.unwrap().len(), 1);

    // One claim wins, until what it claimed is over.
    let claimed = key(RecordKind::Answer, "c");
    assert!(records.claim(&claimed, b"1".to_vec(), LONG).await.unwrap());
    assert!(!other.claim(&claimed, b"2".to_vec(), LONG).await.unwrap());
    assert_eq!(other.get(&claimed).await.unwrap().as_deref(), Some(&b"1"[..]));
    other.remove(&claimed).await.unwrap();
    assert!(other.claim(&claimed, b"2".to_vec(), SHORT).await.unwrap());
    while records.get(&claimed).await.unwrap().is_some() {}
    assert!(records.claim(&claimed, b"3".to_vec(), LONG).await.unwrap());
    records.sweep().await.unwrap();
    assert_eq!(other.get(&claimed).await.unwrap().as_deref(), Some(&b"3"[..]));

    // What has expired is not there, before it is swept and after.
    records.put(&session("a"), b"x".to_vec(), SHORT).await.unwrap();
    while records.get(&session("a")).await.unwrap().is_some() {}
    assert_eq!(records.list(RecordKind::Session).await.unwrap(), []);
    records.sweep().await.unwrap();
    assert_eq!(records.list(RecordKind::Session).await.unwrap(), []);

    let long = vec![0; MAX_RECORD_BYTES + 1];
    assert!(records.put(&session("l"), long.clone(), LONG).await.is_err());
    assert!(records.claim(&session("l"), long, LONG).await.is_err());
    records.put(&session("l"), vec![7; MAX_RECORD_BYTES], Duration::MAX).await.unwrap();
    assert_eq!(other.get(&session("l")).await.unwrap(), Some(vec![7; MAX_RECORD_BYTES]));
}

#[test]
fn a_key_is_no_path() {
    for id in ["", ".", "..", "a/b", "a:b", "a\0", "é", ".lock", &"a".repeat(129)] {
        assert!(RecordKey::new(RecordKind::Session, id).is_err(), "{id:?}");
    }
    assert!(RecordKey::new(RecordKind::Session, &"a".repeat(128)).is_ok());
}

#[tokio::test]
async fn of_many_claims_one_wins() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start());
    let redis = RedisRecords::on(&server.open(), "app");
    let places: [Arc<dyn Records>; 3] = [
        Arc::new(MemoryRecords::new()),
        Arc::new(FileRecords::open(folder.path()).unwrap()),
        Arc::new(redis),
    ];
    for records in places {
        let claims = (0..32_u8).map(|index| {
            let records = Arc::clone(&records);
            tokio::spawn(
                async move { records.claim(&session("one"), vec![index], LONG).await.unwrap() },
            )
        });
        let mut won = 0;
        for claim in claims.collect::<Vec<_>>() {
            won += usize::from(claim.await.unwrap());
        }
        assert_eq!(won, 1, "{records:?}");
    }
}

#[tokio::test]
async fn files_of_records_are_their_owners_alone_and_may_be_broken() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let records = FileRecords::open(folder.path()).unwrap();
    records.put(&session("a"), b"secret".to_vec(), LONG).await.unwrap();
    let path = folder.path().join("server/sessions/a");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    for broken in ["", "x", "9999999999999999", "not a number 123\nvalue"] {
        std::fs::write(&path, broken).unwrap();
        assert_eq!(records.get(&session("a")).await.unwrap(), None, "{broken:?}");
    }
    assert_eq!(records.list(RecordKind::Session).await.unwrap(), []);
    records.sweep().await.unwrap();
    assert!(!path.exists());
}
