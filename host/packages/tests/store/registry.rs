//! What people ask for, from the index that this machine is configured with.

use std::fs;

use pcm_packages::Target;

use crate::TestResult;
use crate::testing::TestWheel;
use crate::world::{python, titles, with_each};

#[tokio::test]
async fn registry_pure_packages() -> TestResult {
    with_each(async |world| {
        let set = world.resolve(&["attrs", "tabulate"]).await?;
        let titles = titles(&set);
        assert_eq!(titles.len(), 2, "{titles:?}");
        let code = "import attr, tabulate; print(tabulate.tabulate([[1]], tablefmt='plain'))";
        assert_eq!(python(&set, code)?, "1");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn registry_jinja2_has_its_markupsafe() -> TestResult {
    with_each(async |world| {
        let set = world.resolve(&["jinja2>=3"]).await?;
        let code = "import jinja2; print(jinja2.Template('{{ x|e }}').render(x='<'))";
        assert_eq!(python(&set, code)?, "&lt;");
        let markupsafe = titles(&set).into_iter().find(|title| title.starts_with("markupsafe "));
        assert!(markupsafe.is_some_and(|title| title.as_str() >= "markupsafe 3"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn registry_pydantic_is_the_last_that_is_pure() -> TestResult {
    with_each(async |world| {
        let set = world.resolve(&["pydantic"]).await?;
        let titles = titles(&set);
        assert!(titles.iter().any(|title| title.starts_with("pydantic 1.10.")), "{titles:?}");
        let lines = world.lines();
        assert!(lines.iter().any(|line| line.ends_with("which needs native code")), "{lines:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn registry_several_of_each_kind_at_once() -> TestResult {
    with_each(async |world| {
        let set = world.resolve(&["pydantic", "jinja2", "pyyaml", "sqlalchemy"]).await?;
        let code = "import yaml, sqlalchemy; print(yaml.safe_load('a: 1'))";
        assert_eq!(python(&set, code)?, "{'a': 1}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn registry_numpy_is_native() -> TestResult {
    with_each(async |world| {
        for (request, native) in [(&["numpy"][..], "numpy has"), (&["attrs", "numpy"], "numpy has")]
        {
            let error = world.resolve(request).await.err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            let begin =
                format!("{}: {native} no pure Python wheel (there is numpy-", request.join(", "));
            let end = "_x86_64.whl); the wasm backend cannot load native code; use --backend \
                       deno-sandbox, subprocess or container";
            assert!(error.starts_with(&begin) && error.ends_with(end), "{error}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn registry_native_packages_for_pyodide() -> TestResult {
    with_each(async |world| {
        let set = world.resolve_for_pyodide(&["pydantic", "msgpack", "attrs"]).await?;
        let titles = titles(&set);
        assert!(titles.iter().any(|title| title.as_str() > "pydantic 2"), "{titles:?}");
        for (package, module) in [("pydantic_core", "_pydantic_core"), ("msgpack", "_cmsgpack")] {
            let library = format!("{package}/{module}.cpython-314-wasm32-emscripten.so");
            assert!(fs::read(set.folder.join(&library))?.starts_with(b"\0asm"), "{library}");
        }
        let lines = world.lines();
        assert!(!lines.iter().any(|line| line.contains("native")), "{lines:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn registry_numpy_has_no_wheel_for_pyodide() -> TestResult {
    with_each(async |world| {
        for request in [&["numpy"][..], &["msgpack", "numpy"]] {
            let error = world.resolve_for_pyodide(request).await.err();
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            let begin =
                format!("{}: numpy has no wheel for Pyodide (there is numpy-", request.join(", "));
            assert!(error.starts_with(&begin), "{error}");
            assert!(error.contains("--wheels DIR, or use --backend subprocess"), "{error}");
        }
        // With a wheel of one's own there is one.
        TestWheel::new("numpy", "2.0").tag(Target::Pyodide.wheel_tag()).write(&world.ours())?;
        assert_eq!(titles(&world.resolve_for_pyodide(&["numpy"]).await?), ["numpy 2.0"]);
        Ok(())
    })
    .await
}

/// Every package that is said to work without its native parts, used without them.
#[tokio::test]
async fn registry_fallbacks_work() -> TestResult {
    const USES: [(&str, &str); 9] = [
        ("fastavro", "import fastavro; print(fastavro.parse_schema({'type': 'int'})['type'])"),
        ("immutables", "import immutables; print(immutables.Map(a='int')['a'])"),
        ("lazy-object-proxy", "import lazy_object_proxy as l; print(l.Proxy(lambda: 'int'))"),
        ("markupsafe", "import markupsafe; print(markupsafe.escape('int'))"),
        ("msgpack", "import msgpack; print(msgpack.unpackb(msgpack.packb('int')))"),
        ("pyyaml", "import yaml; print(yaml.safe_load(yaml.safe_dump(['int']))[0])"),
        (
            "rapidfuzz",
            "from rapidfuzz import process as p; print(p.extractOne('in', ['int', 'x'])[0])",
        ),
        (
            "zope.interface",
            "import zope.interface as z\nclass I(z.Interface): pass\n\
             @z.implementer(I)\nclass A: pass\nprint('int' if I.providedBy(A()) else '')",
        ),
        ("zope.proxy", "import zope.proxy; print(zope.proxy.ProxyBase('int'))"),
    ];
    with_each(async |world| {
        let set = world.resolve(&USES.map(|(package, _)| package)).await?;
        for (package, code) in USES {
            assert_eq!(python(&set, code)?, "int", "{package}");
        }
        Ok(())
    })
    .await
}
