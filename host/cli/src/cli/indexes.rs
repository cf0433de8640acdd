//! The package indexes of the user's own pip and uv configuration.
//!
//! As pip and uv read them: from the environment and from their configuration files. Without any
//! there are none: no index is known here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pcm_sandbox::HostRule;

/// One rule for each index. The user chose them by name, so they may be in the user's own network.
pub(crate) fn configured() -> Vec<HostRule> {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let configuration = Configuration {
        environment: &environment,
        read: &|path| std::fs::read_to_string(path).ok(),
    };
    configuration.rules()
}

struct Configuration<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    read: &'a dyn Fn(&Path) -> Option<String>,
}

impl Configuration<'_> {
    fn rules(&self) -> Vec<HostRule> {
        let mut rules: Vec<HostRule> = Vec::new();
        for url in self.of_pip().into_iter().chain(self.of_uv()) {
            // What is not http, such as a folder of wheels, needs no network.
            let Ok(rule) = HostRule::of_url(&url).map(HostRule::or_private) else { continue };
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        rules
    }

    /// For pip a later source replaces what an earlier one says.
    fn of_pip(&self) -> Vec<String> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for text in self.pip_files().iter().filter_map(|path| (self.read)(path)) {
            values.extend(pip_values(&text));
        }
        for (key, variable) in PIP_KEYS {
            values.extend((self.environment)(variable).map(|value| (key.to_owned(), value)));
        }
        values.values().flat_map(|value| value.split_whitespace().map(str::to_owned)).collect()
    }

    fn pip_files(&self) -> Vec<PathBuf> {
        let named = (self.environment)("PIP_CONFIG_FILE").map(PathBuf::from);
        if named.as_deref() == Some(Path::new("/dev/null")) {
            return vec![]; // so pip is told to read none
        }
        let mut files = vec![PathBuf::from("/etc/xdg/pip/pip.conf"), "/etc/pip.conf".into()];
        if let Some(home) = (self.environment)("HOME") {
            files.push(Path::new(&home).join(".pip/pip.conf"));
        }
        files.extend(self.user_folder().map(|folder| folder.join("pip/pip.conf")));
        let virtual_environment = (self.environment)("VIRTUAL_ENV").map(PathBuf::from);
        files.extend(virtual_environment.map(|folder| folder.join("pip.conf")));
        files.extend(named);
        files
    }

    /// For uv every index counts.
    fn of_uv(&self) -> Vec<String> {
        let mut urls = Vec::new();
        for variable in ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"] {
            let value = (self.environment)(variable).unwrap_or_default();
            urls.extend(value.split_whitespace().map(unnamed));
        }
        for text in self.uv_files().iter().filter_map(|path| (self.read)(path)) {
            if let Ok(table) = text.parse::<toml::Table>() {
                urls.extend(uv_urls(&table));
                urls.extend(
                    table.get("pip").and_then(toml::Value::as_table).map_or(vec![], uv_urls),
                );
            }
        }
        urls
    }

    fn uv_files(&self) -> Vec<PathBuf> {
        if let Some(named) = (self.environment)("UV_CONFIG_FILE") {
            return vec![named.into()];
        }
        let mut files = vec![PathBuf::from("/etc/xdg/uv/uv.toml"), "/etc/uv/uv.toml".into()];
        files.extend(self.user_folder().map(|folder| folder.join("uv/uv.toml")));
        files
    }

    fn user_folder(&self) -> Option<PathBuf> {
        let named = (self.environment)("XDG_CONFIG_HOME").map(PathBuf::from);
        match named.filter(|folder| folder.is_absolute()) {
            Some(folder) => Some(folder),
            None => Some(Path::new(&(self.environment)("HOME")?).join(".config")),
        }
    }
}

/// The keys of pip, and the variables that say the same.
const PIP_KEYS: [(&str, &str); 2] =
    [("index-url", "PIP_INDEX_URL"), ("extra-index-url", "PIP_EXTRA_INDEX_URL")];

/// What a file of pip says of the indexes: `key = value` under a section, where indented lines go on
/// with the value. `[global]` and what is for one command alone are not told apart.
fn pip_values(text: &str) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = current.as_ref().and_then(|key| values.get_mut(key)) {
                value.push(' ');
                value.push_str(trimmed);
            }
            continue;
        }
        current = None;
        if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            let key = key.trim().to_lowercase().replace('_', "-");
            if PIP_KEYS.iter().any(|(known, _)| *known == key) {
                values.insert(key.clone(), value.trim().to_owned());
                current = Some(key);
            }
        }
    }
    values
}

fn uv_urls(table: &toml::Table) -> Vec<String> {
    let text = |value: &toml::Value| value.as_str().map(unnamed);
    let list = |key: &str| table.get(key).and_then(toml::Value::as_array).into_iter().flatten();
    let mut urls: Vec<String> = table.get("index-url").and_then(text).into_iter().collect();
    urls.extend(list("extra-index-url").filter_map(text));
    urls.extend(list("index").filter_map(|index| text(index.get("url")?)));
    urls
}

/// An index without the name that uv takes before it: `name=https://…`.
fn unnamed(index: &str) -> String {
    match index.split_once('=') {
        Some((name, url)) if !name.contains([':', '/']) => url.to_owned(),
        _ => index.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(environment: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<String> {
        let find = |list: &[(&str, &str)], name: &str| {
            let found = list.iter().find(|(each, _)| *each == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let configuration = Configuration {
            environment: &|name| find(environment, name),
            read: &|path| find(files, path.to_str()?),
        };
        configuration.rules().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_configuration_there_is_no_index() {
        assert!(rules(&[], &[]).is_empty());
        assert!(rules(&[("HOME", "/home/u")], &[("/etc/pip.conf", "no = config")]).is_empty());
    }

    #[test]
    fn the_environment_names_indexes() {
        let environment = [
            ("PIP_INDEX_URL", "https://user:secret@one.example/simple/"),
            ("PIP_EXTRA_INDEX_URL", "http://two.example:8080/a https://one.example/other"),
            ("UV_DEFAULT_INDEX", "https://three.example/simple"),
            ("UV_INDEX", "own=https://four.example/?a=b /srv/wheels"),
        ];
        assert_eq!(
            rules(&environment, &[]),
            [
                "private:http://two.example:8080",
                "private:https://one.example",
                "private:https://three.example",
                "private:https://four.example",
            ]
        );
    }

    #[test]
    fn files_of_pip_are_read_as_pip_does() {
        let home = [("HOME", "/home/u")];
        let system = "[global]\nindex-url = https://system.example/simple\n";
        let user = "# mine\n[global]\nIndex_URL: https://user.example/simple\n\
                    [install]\nextra-index-url =\n    https://a.example\n\n    ; no\n    https://b.example\n\
                    trusted-host = no.example\n    https://no.example\n";
        let files = [("/etc/pip.conf", system), ("/home/u/.config/pip/pip.conf", user)];
        assert_eq!(
            rules(&home, &files),
            [
                "private:https://a.example",
                "private:https://b.example",
                "private:https://user.example"
            ]
        );
        let none = [("HOME", "/home/u"), ("PIP_CONFIG_FILE", "/dev/null")];
        assert!(rules(&none, &files).is_empty());
        let over = [("HOME", "/home/u"), ("PIP_INDEX_URL", "https://10.0.0.1/simple")];
        assert_eq!(rules(&over, &files[..1]), ["https://10.0.0.1"]);
    }

    #[test]
    fn files_of_uv_are_read_as_uv_does() {
        let text = "index-url = 'https://a.example/simple'\n\
                    [[index]]\nname = 'x'\nurl = 'https://b.example/simple'\n\
                    [pip]\nextra-index-url = ['https://c.example/simple']\n";
        let environment = [("XDG_CONFIG_HOME", "/conf")];
        let expected =
            ["private:https://a.example", "private:https://b.example", "private:https://c.example"];
        assert_eq!(rules(&environment, &[("/conf/uv/uv.toml", text)]), expected);
        let named = [("XDG_CONFIG_HOME", "/conf"), ("UV_CONFIG_FILE", "/own.toml")];
        assert!(rules(&named, &[("/conf/uv/uv.toml", text)]).is_empty());
        assert!(rules(&named, &[("/own.toml", "index-url = [")]).is_empty());
    }
}
