//! The tools, which all sessions share.

use crate::answer::{Answer, Refusal, json};
use crate::request::Call;

const USUALLY_FOUND: usize = 10;

pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    call.check_session().await?;
    Ok(json(&call.state.sessions.tools().list()))
}

pub(super) async fn search(call: Call) -> Result<Answer, Refusal> {
    call.check_session().await?;
    let (query, limit) = (call.search()?, call.limit(USUALLY_FOUND)?);
    Ok(json(&call.state.sessions.tools().search(&query, limit)))
}
