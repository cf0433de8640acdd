//! What holds for every storage, whatever is under it.

use pcm_storage::{ArtifactData, StorageError};
use serde_json::{Map, Value, json};

use crate::place::{Place, artifact, workflow};

macro_rules! over_all_storages {
    ($($case:ident)*) => {
        over_all_storages!(@ memory Place::memory(None); $($case)*);
        over_all_storages!(@ memory_in_a_workspace Place::memory(Some("client_a")); $($case)*);
        over_all_storages!(@ file Place::file(None); $($case)*);
        over_all_storages!(@ file_in_a_workspace Place::file(Some("client_a")); $($case)*);
        over_all_storages!(@ redis Place::redis(None); $($case)*);
        over_all_storages!(@ redis_in_a_workspace Place::redis(Some("client_a")); $($case)*);
    };
    (@ $kind:ident $place:expr; $($case:ident)*) => {
        mod $kind {
            use crate::place::Place;
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&$place).await.unwrap();
                }
            )*
        }
    };
}

over_all_storages! {
    an_empty_storage_lists_nothing
    a_workflow_is_listed_with_its_name_description_and_parameters
    a_workflow_has_its_whole_source
    a_description_is_given_or_in_a_docstring
    a_given_description_stays_until_the_workflow_is_another
    creating_again_replaces
    a_deleted_workflow_is_gone_once
    sources_that_are_no_workflow_change_nothing
    what_another_process_does_is_seen_at_once
    search_finds_what_was_asked_for_and_nothing_else
    data_comes_back_as_what_it_was
    what_is_no_list_and_no_mapping_comes_back_as_text
    a_name_in_json_is_parsed_where_it_can_be
    artifacts_agree_about_what_is_there
    names_may_have_folders
    saving_again_replaces_data_and_description
    metadata_comes_back_and_the_stores_own_does_not
    a_missing_artifact_is_an_error_that_names_it
    large_binary_data_comes_back_whole
    what_is_too_long_is_refused
    many_saves_at_once_lose_nothing
    dependencies_are_one_for_each_package
    adding_and_removing_say_whether_they_changed_anything
    the_hash_follows_the_dependencies
    many_additions_at_once_lose_nothing
}

type Done = Result<(), StorageError>;

const ADD: &str = "\"\"\"Adds two numbers.\"\"\"\n\nasync def run(a: int, b: int = 2) -> int:\n    return a + b\n";

async fn an_empty_storage_lists_nothing(place: &Place) -> Done {
    assert!(place.workflows().list().await?.is_empty());
    assert!(place.workflows().search("anything", 10).await?.is_empty());
    assert!(place.workflows().problems().await?.is_empty());
    assert_eq!(place.workflows().get(&workflow("add")).await?, None);
    assert!(!place.workflows().delete(&workflow("add")).await?);
    assert!(place.artifacts().list().await?.is_empty());
    assert_eq!(place.artifacts().get(&artifact("a")).await?, None);
    assert!(!place.artifacts().exists(&artifact("a")).await?);
    assert!(!place.artifacts().delete(&artifact("a")).await?);
    assert!(place.deps().list().await?.is_empty());
    assert!(!place.deps().remove("requests").await?);
    place.deps().clear().await
}

async fn a_workflow_is_listed_with_its_name_description_and_parameters(place: &Place) -> Done {
    place.workflows().create(&workflow("add"), ADD, "").await?;
    let listed = place.workflows().list().await?;
    let summaries: Vec<_> = listed.iter().map(|workflow| workflow.summary()).collect();
    let expected = json!([{"name": "add", "description": "Adds two numbers.", "parameters": [
        {"name": "a", "type": "integer", "description": "", "required": true, "default": null},
        {"name": "b", "type": "integer", "description": "", "required": false, "default": 2}]}]);
    assert_eq!(serde_json::to_value(summaries).unwrap(), expected);
    Ok(())
}

async fn a_workflow_has_its_whole_source(place: &Place) -> Done {
    let source = format!("# é☃😀\r\n{ADD}\n\n\t# end");
    let created = place.workflows().create(&workflow("add"), &source, "").await?;
    assert_eq!(created.source, source);
    for storage in [&place.storage, &place.other] {
        let stored = storage.workflows().get(&workflow("add")).await?.unwrap();
        assert_eq!(stored.source, source);
        assert_eq!(stored, created);
    }
    Ok(())
}

async fn a_description_is_given_or_in_a_docstring(place: &Place) -> Done {
    let described = |description| async move {
        let workflows = place.workflows();
        workflows.create(&workflow("add"), ADD, description).await?;
        Ok::<_, StorageError>(workflows.list().await?[0].description.clone())
    };
    assert_eq!(described("Sums, says who made it").await?, "Sums, says who made it");
    assert_eq!(described("").await?, "Adds two numbers.");
    assert_eq!(described(" \n ").await?, "Adds two numbers.");
    Ok(())
}

async fn a_given_description_stays_until_the_workflow_is_another(place: &Place) -> Done {
    place.workflows().create(&workflow("add"), ADD, "given").await?;
    place.workflows().create(&workflow("other"), ADD, "").await?;
    for storage in [&place.storage, &place.other] {
        let stored = storage.workflows().get(&workflow("add")).await?.unwrap();
        assert_eq!(stored.description, "given");
    }
    let changed = format!("{ADD}# changed");
    place.workflows().create(&workflow("add"), &changed, "").await?;
    let stored = place.other.workflows().get(&workflow("add")).await?.unwrap();
    assert_eq!(stored.description, "Adds two numbers.");
    Ok(())
}

async fn creating_again_replaces(place: &Place) -> Done {
    for number in 0..20 {
        let source = format!("async def run(): return {number}");
        place.workflows().create(&workflow("number"), &source, "").await?;
        assert_eq!(place.workflows().get(&workflow("number")).await?.unwrap().source, source);
        assert_eq!(place.other.workflows().list().await?[0].source, source);
    }
    Ok(())
}

async fn a_deleted_workflow_is_gone_once(place: &Place) -> Done {
    place.workflows().create(&workflow("add"), ADD, "given").await?;
    place.other.workflows().list().await?;
    assert!(place.workflows().delete(&workflow("add")).await?);
    assert!(!place.workflows().delete(&workflow("add")).await?);
    for storage in [&place.storage, &place.other] {
        assert!(storage.workflows().list().await?.is_empty());
        assert_eq!(storage.workflows().get(&workflow("add")).await?, None);
        assert!(storage.workflows().search("add", 5).await?.is_empty());
    }
    Ok(())
}

async fn sources_that_are_no_workflow_change_nothing(place: &Place) -> Done {
    place.workflows().create(&workflow("add"), ADD, "").await?;
    let refused = [
        ("def run(): pass", "ValueError"),
        ("async def walk(): pass", "ValueError"),
        ("async def run(:", "SyntaxError"),
        ("((((", "SyntaxError"),
        (&"(".repeat(100_000), "SyntaxError"),
        (&"#".repeat((1 << 20) + 1), "ValueError"),
    ];
    for (source, error_type) in refused {
        let error = place.workflows().create(&workflow("add"), source, "").await.unwrap_err();
        assert_eq!(error.error_type(), error_type, "{error}");
    }
    let long = "d".repeat(20_000);
    let error = place.workflows().create(&workflow("add"), ADD, &long).await.unwrap_err();
    assert_eq!(error.error_type(), "ValueError");
    assert_eq!(place.workflows().get(&workflow("add")).await?.unwrap().source, ADD);
    Ok(())
}

async fn what_another_process_does_is_seen_at_once(place: &Place) -> Done {
    assert!(place.workflows().list().await?.is_empty());
    place.other.workflows().create(&workflow("add"), ADD, "given").await?;
    assert_eq!(place.workflows().search("given", 5).await?.len(), 1);
    place.other.workflows().delete(&workflow("add")).await?;
    assert!(place.workflows().list().await?.is_empty());

    let data = || ArtifactData::Text("one".to_owned());
    place.artifacts().save(&artifact("a"), data(), "", Map::new()).await?;
    let data = ArtifactData::Json(json!([2]));
    place.other.artifacts().save(&artifact("a"), data.clone(), "two", Map::new()).await?;
    assert_eq!(place.artifacts().load(&artifact("a")).await?, data);
    assert_eq!(place.artifacts().list().await?[0].description, "two");

    place.other.deps().add(&"requests".parse()?).await?;
    assert_eq!(place.deps().list().await?.len(), 1);
    Ok(())
}

async fn search_finds_what_was_asked_for_and_nothing_else(place: &Place) -> Done {
    let source = |text| format!("async def run():\n    '''{text}'''");
    let workflows = place.workflows();
    workflows.create(&workflow("fetch_page"), &source("Downloads a web page"), "").await?;
    workflows.create(&workflow("resize"), &source("Makes an image smaller"), "").await?;
    workflows.create(&workflow("crop"), &source("Cuts an image"), "").await?;
    let found = |query, limit| async move {
        let found = place.workflows().search(query, limit).await?;
        Ok::<_, StorageError>(found.iter().map(|one| one.name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(found("resize", 5).await?[0], "resize");
    assert_eq!(found("download page", 5).await?, ["fetch_page"]);
    assert_eq!(found("image", 5).await?.len(), 2);
    assert_eq!(found("image", 1).await?.len(), 1);
    assert!(found("submarine", 5).await?.is_empty());
    assert!(found("image", 0).await?.is_empty());
    Ok(())
}

async fn round_trip(
    place: &Place,
    name: &str,
    data: ArtifactData,
) -> Result<ArtifactData, StorageError> {
    place.artifacts().save(&artifact(name), data, "", Map::new()).await?;
    place.other.artifacts().load(&artifact(name)).await
}

async fn data_comes_back_as_what_it_was(place: &Place) -> Done {
    let all = [
        ArtifactData::Bytes((0..=255).collect()),
        ArtifactData::Bytes(b"{}".to_vec()),
        ArtifactData::Bytes(Vec::new()),
        ArtifactData::Text("plain \u{0} é 😀\r\n".to_owned()),
        ArtifactData::Text(String::new()),
        ArtifactData::Text("{\"a\": 1}".to_owned()),
        ArtifactData::Json(json!({"z": [1, -2.5, null, true, "é"], "a": {}, "m": u64::MAX})),
        ArtifactData::Json(json!([])),
        ArtifactData::Json(json!({})),
    ];
    for data in all {
        assert_eq!(round_trip(place, "data", data.clone()).await?, data);
    }
    Ok(())
}

async fn what_is_no_list_and_no_mapping_comes_back_as_text(place: &Place) -> Done {
    let texts =
        [(json!(42), "42"), (json!(true), "True"), (json!(null), "None"), (json!(1e20), "1e+20")];
    for (value, text) in texts {
        let loaded = round_trip(place, "scalar", ArtifactData::Json(value)).await?;
        assert_eq!(loaded, ArtifactData::Text(text.to_owned()));
    }
    Ok(())
}

async fn a_name_in_json_is_parsed_where_it_can_be(place: &Place) -> Done {
    let text = |text: &str| ArtifactData::Text(text.to_owned());
    let loaded = round_trip(place, "a.json", text("{\"a\": [1]}")).await?;
    assert_eq!(loaded, ArtifactData::Json(json!({"a": [1]})));
    assert_eq!(round_trip(place, "a.json", text("{a")).await?, text("{a"));
    let bytes = ArtifactData::Bytes(b"{}".to_vec());
    assert_eq!(round_trip(place, "a.json", bytes.clone()).await?, bytes);
    Ok(())
}

async fn artifacts_agree_about_what_is_there(place: &Place) -> Done {
    let artifacts = place.artifacts();
    let data = || ArtifactData::Text("x".to_owned());
    let saved = artifacts.save(&artifact("b"), data(), "second", Map::new()).await?;
    artifacts.save(&artifact("a"), data(), "first", Map::new()).await?;
    let listed = place.other.artifacts().list().await?;
    assert_eq!(listed.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(listed[1], saved);
    assert_eq!(artifacts.get(&artifact("b")).await?, Some(saved.clone()));
    assert!(artifacts.exists(&artifact("b")).await?);
    assert!(saved.created_at.starts_with("20") && saved.created_at.ends_with("+00:00"));
    assert!(
        saved.path.starts_with(&artifacts.path()) && saved.path.ends_with('b'),
        "{}",
        saved.path
    );
    assert!(!saved.path.starts_with('/'), "no path of the host: {}", saved.path);

    assert!(artifacts.delete(&artifact("b")).await?);
    assert!(!artifacts.delete(&artifact("b")).await?);
    assert!(!place.other.artifacts().exists(&artifact("b")).await?);
    assert_eq!(place.other.artifacts().get(&artifact("b")).await?, None);
    assert_eq!(place.other.artifacts().list().await?.len(), 1);
    Ok(())
}

async fn names_may_have_folders(place: &Place) -> Done {
    let names =
        ["scans/nmap.json", "scans/deep/er/x", "Ünï/ ☃ .txt", ".hidden", "a:b", "-rf", "%s*?"];
    for name in names {
        let data = ArtifactData::Json(json!([name]));
        assert_eq!(round_trip(place, name, data.clone()).await?, data, "{name}");
    }
    assert_eq!(place.artifacts().list().await?.len(), names.len());
    for name in names {
        assert!(place.artifacts().delete(&artifact(name)).await?, "{name}");
    }
    assert!(place.artifacts().list().await?.is_empty());
    let data = ArtifactData::Text("now a file".to_owned());
    assert_eq!(round_trip(place, "scans", data.clone()).await?, data);
    Ok(())
}

async fn saving_again_replaces_data_and_description(place: &Place) -> Done {
    let artifacts = place.artifacts();
    let long = ArtifactData::Text("long ".repeat(1000));
    artifacts.save(&artifact("a"), long, "long", Map::new()).await?;
    let bytes = ArtifactData::Bytes(vec![0xff]);
    artifacts.save(&artifact("a"), bytes.clone(), "", Map::new()).await?;
    assert_eq!(place.other.artifacts().load(&artifact("a")).await?, bytes);
    assert_eq!(place.other.artifacts().list().await?[0].description, "");
    Ok(())
}

async fn metadata_comes_back_and_the_stores_own_does_not(place: &Place) -> Done {
    let mut metadata = Map::new();
    metadata.insert("source".to_owned(), json!({"host": "é", "ports": [1, 2]}));
    metadata.insert("_data_type".to_owned(), Value::from("bytes"));
    let data = ArtifactData::Text("x".to_owned());
    place.artifacts().save(&artifact("a"), data.clone(), "", metadata.clone()).await?;
    metadata.remove("_data_type");
    let info = place.other.artifacts().get(&artifact("a")).await?.unwrap();
    assert_eq!(info.metadata, metadata);
    assert_eq!(place.other.artifacts().load(&artifact("a")).await?, data);
    Ok(())
}

async fn a_missing_artifact_is_an_error_that_names_it(place: &Place) -> Done {
    for name in ["missing", "mis/sing"] {
        let error = place.artifacts().load(&artifact(name)).await.unwrap_err();
        assert_eq!(error.error_type(), "ArtifactNotFoundError");
        assert!(error.to_string().contains(name), "{error}");
    }
    Ok(())
}

async fn large_binary_data_comes_back_whole(place: &Place) -> Done {
    let bytes: Vec<u8> =
        (0_u32..8 << 20).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    assert_eq!(bytes.len(), 32 << 20);
    let data = ArtifactData::Bytes(bytes);
    assert!(round_trip(place, "large.bin", data.clone()).await? == data);
    Ok(())
}

async fn what_is_too_long_is_refused(place: &Place) -> Done {
    let data = || ArtifactData::Text("x".to_owned());
    let long = "d".repeat(20_000);
    let error =
        place.artifacts().save(&artifact("a"), data(), &long, Map::new()).await.unwrap_err();
    assert_eq!(error.error_type(), "ValueError");
    let mut metadata = Map::new();
    metadata.insert("k".to_owned(), Value::from("v".repeat(70_000)));
    let error = place.artifacts().save(&artifact("a"), data(), "", metadata).await.unwrap_err();
    assert_eq!(error.error_type(), "ValueError");
    assert!(!place.artifacts().exists(&artifact("a")).await?);
    Ok(())
}

async fn many_saves_at_once_lose_nothing(place: &Place) -> Done {
    let mut saves = tokio::task::JoinSet::new();
    for number in 0..40 {
        let storage = if number % 2 == 0 { place.storage.clone() } else { place.other.clone() };
        saves.spawn(async move {
            let data = ArtifactData::Json(json!([number]));
            let name = artifact(&format!("part/{number}"));
            let description = number.to_string();
            storage.artifacts().save(&name, data, &description, Map::new()).await.map(drop)
        });
    }
    while let Some(saved) = saves.join_next().await {
        saved.unwrap()?;
    }
    let listed = place.artifacts().list().await?;
    assert_eq!(listed.len(), 40);
    for info in listed {
        assert_eq!(info.name.as_str(), format!("part/{}", info.description));
    }
    Ok(())
}

async fn dependencies_are_one_for_each_package(place: &Place) -> Done {
    for spec in ["My_Pkg>=1", "requests[socks]==2.*", "my-pkg~=2", "numpy"] {
        place.deps().add(&spec.parse()?).await?;
    }
    let specs = |place: &Place| {
        let other = place.other.clone();
        async move {
            let specs = other.deps().list().await?;
            Ok::<_, StorageError>(specs.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
    };
    assert_eq!(specs(place).await?, ["my-pkg~=2", "numpy", "requests[socks]==2.*"]);
    assert!(place.deps().remove("MY_PKG==9").await?);
    assert!(place.deps().remove("requests").await?);
    assert_eq!(specs(place).await?, ["numpy"]);
    place.deps().clear().await?;
    assert!(specs(place).await?.is_empty());
    Ok(())
}

async fn adding_and_removing_say_whether_they_changed_anything(place: &Place) -> Done {
    assert!(place.deps().add(&"a>=1".parse()?).await?);
    assert!(!place.deps().add(&"a>=1".parse()?).await?);
    assert!(place.deps().add(&"a>=2".parse()?).await?);
    assert!(place.deps().remove("a").await?);
    assert!(!place.deps().remove("a").await?);
    Ok(())
}

async fn the_hash_follows_the_dependencies(place: &Place) -> Done {
    let empty = place.deps().hash().await?;
    place.deps().add(&"b".parse()?).await?;
    place.deps().add(&"a>=1".parse()?).await?;
    let hash = place.deps().hash().await?;
    assert_eq!(hash, "f936271d0e97248e63f27de179fd2555d37191c2215c6e05b7e9889f4a500a87");
    place.deps().clear().await?;
    assert_eq!(place.deps().hash().await?, empty);
    Ok(())
}

async fn many_additions_at_once_lose_nothing(place: &Place) -> Done {
    let mut additions = tokio::task::JoinSet::new();
    for number in 0..30 {
        let storage = if number % 2 == 0 { place.storage.clone() } else { place.other.clone() };
        additions.spawn(async move {
            storage.deps().add(&format!("package{}=={number}", number % 15).parse()?).await
        });
    }
    while let Some(added) = additions.join_next().await {
        assert!(added.unwrap()?);
    }
    assert_eq!(place.deps().list().await?.len(), 15);
    Ok(())
}
