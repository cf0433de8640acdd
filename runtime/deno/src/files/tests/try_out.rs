use serde_json::json;
use super::*;

#[test]
fn try_out() {
    fresh(|session| {
        session.check("1 + 1", &json!(2));
        session.check("[os.getcwd(), os.listdir('/'), os.listdir()]", &json!(["/work", ["tmp", "work"], []]));
        session.check("open('a.txt', 'w').write('hello'); [open('/work/a.txt').read(), os.stat('a.txt').st_size, os.listdir()]", &json!(["hello", 5, ["a.txt"]]));
        assert_eq!(session.files.get("a.txt", 100).unwrap(), b"hello");
    });
}
