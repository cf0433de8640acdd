//! Which fences a build for the mutation check can take down, one at a time.
//!
//! A suite of attacks shows something where an attack succeeds as soon as a fence is gone. `./x mutations`
//! builds everything once with the feature `mutations`; then the variable [`VARIABLE`] names the fence that
//! is down in a process, and a case of `tests/escapes` has to fail. Where a fence stands, its code asks
//! [`holds`].
//!
//! Without the feature [`holds`] is a constant, and nothing of a running program can take a fence down. With
//! it a build for users does not compile.
//!
//! What must never live here: a fence.

#[cfg(all(feature = "mutations", not(debug_assertions)))]
compile_error!("the feature `mutations` takes fences down: it is for `./x mutations` alone");

/// A fence that can be taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// The bound on the linear memory of the wasm backend.
    Memory,
    /// The interrupt of a run that has to stop.
    Interrupt,
    /// The end of a run that does not stop when it is interrupted.
    HardStop,
    /// The fuel of a run.
    Fuel,
    /// The bound on what a frame of the guest takes on the host.
    Parts,
    /// The bound on the length of requests and replies.
    FrameLength,
    /// The bound on calls that wait.
    WaitingCalls,
    /// The limit on calls of a run.
    ToolCalls,
    /// The limit on output.
    Output,
    /// New random numbers for states that were one.
    Renewal,
    /// The quota of a session's files.
    Quota,
    /// That links of a mounted folder lead nowhere outside.
    Beneath,
    /// The names that cannot be written in a mounted folder.
    Protected,
    /// The bound on Python's memory on the deno-sandbox backend.
    DenoMemory,
    /// The bound on buffers of JavaScript.
    Buffers,
    /// That text does not become JavaScript.
    Codegen,
    /// What a kernel in its jail may open.
    Landlock,
    /// What a kernel in its jail may ask of the system.
    Seccomp,
    /// That a kernel has no variables of the host.
    Environment,
    /// The bound on processes of a kernel.
    Tasks,
    /// That what a kernel has started ends with it.
    Descendants,
    /// The look at every address that a name has.
    Addresses,
    /// The list of hosts that may be reached, asked at every hop.
    Rules,
    /// That a call which the policy denies is not made.
    Denied,
    /// That a tool has one name before the rules are asked.
    Aliases,
    /// That a path is resolved before a condition looks at it.
    Within,
    /// That a rule lets so many calls through.
    MaxCalls,
    /// That an approval is for these arguments.
    ApprovalArguments,
    /// That an approval is used once.
    ApprovalOnce,
    /// That an approval is for this session.
    ApprovalSession,
    /// That a word of the guest is no option.
    Dashes,
    /// That the end of the options is marked.
    EndOfOptions,
    /// That an argument is one that was declared.
    Declared,
    /// That an argument is one segment of a path.
    PathParts,
    /// Which names an artifact can have.
    ArtifactNames,
    /// Which names a workflow can have.
    WorkflowNames,
    /// How much a session may store.
    StoredBytes,
}

impl Fence {
    /// All of them.
    pub const ALL: [Self; 37] = [
        Self::Memory,
        Self::Interrupt,
        Self::HardStop,
        Self::Fuel,
        Self::Parts,
        Self::FrameLength,
        Self::WaitingCalls,
        Self::ToolCalls,
        Self::Output,
        Self::Renewal,
        Self::Quota,
        Self::Beneath,
        Self::Protected,
        Self::DenoMemory,
        Self::Buffers,
        Self::Codegen,
        Self::Landlock,
        Self::Seccomp,
        Self::Environment,
        Self::Tasks,
        Self::Descendants,
        Self::Addresses,
        Self::Rules,
        Self::Denied,
        Self::Aliases,
        Self::Within,
        Self::MaxCalls,
        Self::ApprovalArguments,
        Self::ApprovalOnce,
        Self::ApprovalSession,
        Self::Dashes,
        Self::EndOfOptions,
        Self::Declared,
        Self::PathParts,
        Self::ArtifactNames,
        Self::WorkflowNames,
        Self::StoredBytes,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Interrupt => "interrupt",
            Self::HardStop => "hard-stop",
            Self::Fuel => "fuel",
            Self::Parts => "parts",
            Self::FrameLength => "frame-length",
            Self::WaitingCalls => "waiting-calls",
            Self::ToolCalls => "tool-calls",
            Self::Output => "output",
            Self::Renewal => "renewal",
            Self::Quota => "quota",
            Self::Beneath => "beneath",
            Self::Protected => "protected",
            Self::DenoMemory => "deno-memory",
            Self::Buffers => "buffers",
            Self::Codegen => "codegen",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Environment => "environment",
            Self::Tasks => "tasks",
            Self::Descendants => "descendants",
            Self::Addresses => "addresses",
            Self::Rules => "rules",
            Self::Denied => "denied",
            Self::Aliases => "aliases",
            Self::Within => "within",
            Self::MaxCalls => "max-calls",
            Self::ApprovalArguments => "approval-arguments",
            Self::ApprovalOnce => "approval-once",
            Self::ApprovalSession => "approval-session",
            Self::Dashes => "dashes",
            Self::EndOfOptions => "end-of-options",
            Self::Declared => "declared",
            Self::PathParts => "path-parts",
            Self::ArtifactNames => "artifact-names",
            Self::WorkflowNames => "workflow-names",
            Self::StoredBytes => "stored-bytes",
        }
    }
}

/// Names the fence that is down, in a build with the feature `mutations`.
pub const VARIABLE: &str = "PCM_FENCE_DOWN";

/// Whether a fence stands, as it always does.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "it must cost nothing where fences stand")]
pub const fn holds(_: Fence) -> bool {
    true
}

/// Whether a fence stands.
#[cfg(feature = "mutations")]
pub fn holds(fence: Fence) -> bool {
    static DOWN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    DOWN.get_or_init(|| std::env::var(VARIABLE).ok()).as_deref() != Some(fence.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fence_has_a_name_of_its_own() {
        let mut names = Fence::ALL.map(Fence::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Fence::ALL.len());
    }

    #[test]
    fn fences_stand_where_nothing_is_said() {
        assert!(Fence::ALL.into_iter().all(holds));
    }
}
