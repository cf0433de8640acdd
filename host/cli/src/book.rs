//! The Rust of the README and of the pages of `docs/`, as tests of the documentation. What else the pages
//! have their reader do is tested by `tests/docs`.

/// A module for each page that has Rust in it.
macro_rules! pages {
    ($($name:ident = $page:literal;)*) => {
        $(#[doc = include_str!(concat!("../../../", $page))] mod $name {})*
    };
}

pages! {
    readme = "README.md";
    approvals = "docs/approvals.md";
    container = "docs/container.md";
    embedding = "docs/embedding.md";
    getting_started = "docs/getting-started.md";
    mcp = "docs/mcp.md";
    middleware = "docs/middleware.md";
    remote = "docs/remote.md";
    server = "docs/server.md";
    storage = "docs/storage.md";
    subprocess = "docs/subprocess.md";
    tools = "docs/tools.md";
    workers = "docs/workers.md";
}
