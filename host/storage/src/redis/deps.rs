//! Dependencies in a set.

use async_trait::async_trait;

use crate::dep::base_name;
use crate::{DepSpec, DepsStore, RedisServer, StorageError};

const WHAT: &str = "the list of dependencies";

/// Takes all specs of a package out of the set and puts one in, if one is given, as one step that
/// nobody can come between. It answers with how many there were and whether the set changed.
const REPLACE: &str = r"
local removed = 0
local stays = false
for _, member in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local name = member:match('^%s*([^%[<>=!~ ]*)'):lower():gsub('_', '-')
  if name == ARGV[1] then
    if member == ARGV[2] then
      stays = true
    else
      removed = removed + redis.call('SREM', KEYS[1], member)
    end
  end
end
if ARGV[2] ~= '' and not stays then
  redis.call('SADD', KEYS[1], ARGV[2])
  return removed + 1
end
return removed
";

/// The dependencies in one set of a server.
#[derive(Debug, Clone)]
pub struct RedisDeps {
    server: RedisServer,
    set: String,
}

impl RedisDeps {
    /// The dependencies in the set `<prefix>:deps`.
    pub fn new(server: &RedisServer, prefix: &str) -> Self {
        Self { server: server.clone(), set: format!("{prefix}:deps") }
    }

    async fn replace(&self, package: &str, spec: &str) -> Result<bool, StorageError> {
        let mut request = redis::pipe();
        request.cmd("EVAL").arg(REPLACE).arg(1).arg(&self.set).arg(package).arg(spec);
        let (changes,): (u64,) = self.server.change(WHAT, &request).await?;
        Ok(changes > 0)
    }
}

#[async_trait]
impl DepsStore for RedisDeps {
    async fn list(&self) -> Result<Vec<DepSpec>, StorageError> {
        let mut request = redis::pipe();
        request.cmd("SMEMBERS").arg(&self.set);
        let (members,): (Vec<Vec<u8>>,) = self.server.read(WHAT, &request).await?;
        let spec = |member| String::from_utf8(member).ok()?.parse().ok();
        let mut specs: Vec<DepSpec> = members.into_iter().filter_map(spec).collect();
        specs.sort();
        specs.dedup();
        Ok(specs)
    }

    async fn add(&self, spec: &DepSpec) -> Result<bool, StorageError> {
        self.replace(spec.name(), spec.as_str()).await
    }

    async fn remove(&self, spec_or_name: &str) -> Result<bool, StorageError> {
        self.replace(&base_name(spec_or_name), "").await
    }

    async fn clear(&self) -> Result<(), StorageError> {
        let mut request = redis::pipe();
        request.cmd("DEL").arg(&self.set).ignore();
        self.server.put(WHAT, &request).await
    }
}
