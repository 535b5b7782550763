//! The profile of AWS's own files, `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use configparser::ini::{Ini, IniDefault};

/// Where a profile is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProfileFiles {
    /// The profile's name.
    pub name: String,
    /// Whether somebody asked for that profile: then it must exist.
    is_asked_for: bool,
    /// The file of credentials; none where the user has no home folder.
    credentials: Option<PathBuf>,
    /// The file of settings.
    config: Option<PathBuf>,
}

/// The settings of a profile, by their names in the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile(BTreeMap<String, String>);

impl ProfileFiles {
    /// Where variables like the environment's say, or else below the home folder.
    pub(crate) fn new(variable: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Self {
        let file = |name, default| match variable(name) {
            Some(path) => Some(PathBuf::from(path)),
            None => home.map(|home| home.join(".aws").join(default)),
        };
        let asked_for = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        Self {
            is_asked_for: asked_for.is_some(),
            name: asked_for.unwrap_or_else(|| "default".to_owned()),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            config: file("AWS_CONFIG_FILE", "config"),
        }
    }

    /// The profile, empty where neither file has it.
    ///
    /// # Errors
    ///
    /// What is wrong, as a sentence: a file that can't be read, or a profile that was asked for and is in neither.
    pub(crate) fn load(&self) -> Result<Profile, String> {
        let mut settings = BTreeMap::new();
        let mut is_found = false;
        // A setting in both files is taken from that of credentials.
        for (file, section) in
            [(&self.config, config_section(&self.name)), (&self.credentials, self.name.clone())]
        {
            let Some(file) = file else { continue };
            if let Some(found) = read_section(file, &section)? {
                is_found = true;
                settings.extend(found);
            }
        }
        if self.is_asked_for && !is_found {
            return Err(format!("AWS_PROFILE names the profile {self}, but it is not there"));
        }
        Ok(Profile(settings))
    }
}

/// The name of the profile, and where it is looked for.
impl std::fmt::Display for ProfileFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} in ", self.name)?;
        let files: Vec<String> = [&self.credentials, &self.config]
            .into_iter()
            .flatten()
            .map(|file| file.display().to_string())
            .collect();
        match files.as_slice() {
            [] => f.write_str("~/.aws, though this user has no home folder"),
            files => f.write_str(&files.join(" and ")),
        }
    }
}

impl Profile {
    /// A setting that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How it gets credentials, where that is a way that this crate does not know.
    pub(crate) fn unsupported_credentials(&self) -> Option<&'static str> {
        let ways = [
            ("credential_process", "by running a program (credential_process)"),
            ("sso_session", "by single sign-on (sso_session)"),
            ("sso_start_url", "by single sign-on (sso_start_url)"),
            ("source_profile", "by assuming a role (role_arn with source_profile)"),
            ("credential_source", "by assuming a role (role_arn with credential_source)"),
            ("login_session", "by `aws login` (login_session)"),
        ];
        ways.into_iter().find(|(name, _)| self.get(name).is_some()).map(|(_, way)| way)
    }
}

/// The section of a profile in the file of settings.
fn config_section(profile: &str) -> String {
    match profile {
        "default" => "default".to_owned(),
        profile => format!("profile {profile}"),
    }
}

/// The settings in a section of a file; none where there is no such file or section.
fn read_section(file: &Path, section: &str) -> Result<Option<BTreeMap<String, String>>, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{} can't be read: {error}", file.display())),
    };
    let mut syntax = IniDefault::default();
    syntax.case_sensitive = true;
    syntax.delimiters = vec!['='];
    syntax.comment_symbols = vec!['#', ';'];
    // A secret may have such characters in it.
    syntax.enable_inline_comments = false;
    let mut ini = Ini::new_from_defaults(syntax);
    let sections =
        ini.read(text).map_err(|error| format!("{} can't be read: {error}", file.display()))?;
    let wanted: Vec<&str> = section.split_whitespace().collect();
    let is_wanted = |name: &str| name.split_whitespace().eq(wanted.iter().copied());
    let Some((_, found)) = sections.into_iter().find(|(name, _)| is_wanted(name)) else {
        return Ok(None);
    };
    let setting = |(name, value): (String, Option<String>)| {
        Some((name.to_ascii_lowercase(), value?.trim().to_owned()))
    };
    Ok(Some(found.into_iter().filter_map(setting).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a home folder, and variables.
    fn load(
        files: &[(&str, &str)],
        variables: &[(&str, &str)],
    ) -> (Result<Profile, String>, ProfileFiles) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        for (name, text) in files {
            std::fs::write(home.path().join(".aws").join(name), text).unwrap();
        }
        let variable = |name: &str| {
            let found = variables.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let files = ProfileFiles::new(variable, Some(home.path()));
        (files.load(), files)
    }

    const CREDENTIALS: &str = "
        # a comment
        [default]
        aws_access_key_id = D
        aws_secret_access_key=d#e;f=g:h
        [ other ]
        AWS_ACCESS_KEY_ID = O
        aws_secret_access_key = o
        aws_session_token = t==
    ";
    const CONFIG: &str = "
        [default]
        region = one
        aws_access_key_id = not this
        s3 =
            max_concurrent_requests = 20
        [profile other]
        region = two
        endpoint_url = http://127.0.0.1:3900/
        [profile process]
        credential_process = /bin/x
        [sso-session mine]
        sso_start_url = https://example.org
    ";
    const FILES: &[(&str, &str)] = &[("credentials", CREDENTIALS), ("config", CONFIG)];

    #[test]
    fn a_profile_is_what_both_files_say_of_it() {
        let profile = load(FILES, &[]).0.unwrap();
        assert_eq!(profile.get("aws_access_key_id"), Some("D"));
        assert_eq!(profile.get("aws_secret_access_key"), Some("d#e;f=g:h"));
        assert_eq!((profile.get("region"), profile.get("endpoint_url")), (Some("one"), None));
        let other = load(FILES, &[("AWS_PROFILE", "other")]).0.unwrap();
        assert_eq!(other.get("aws_access_key_id"), Some("O"));
        assert_eq!(other.get("aws_session_token"), Some("t=="));
        assert_eq!(other.get("endpoint_url"), Some("http://127.0.0.1:3900/"));
        assert_eq!(other.unsupported_credentials(), None);
        let process = load(FILES, &[("AWS_PROFILE", "process")]).0.unwrap();
        assert!(process.unsupported_credentials().unwrap().contains("credential_process"));
    }

    #[test]
    fn a_profile_that_is_nowhere_is_an_error_only_if_it_was_asked_for() {
        assert_eq!(load(&[], &[]).0, Ok(Profile::default()));
        let (error, files) = load(FILES, &[("AWS_PROFILE", "none")]);
        let error = error.unwrap_err();
        assert!(error.contains("\"none\"") && error.contains(".aws/credentials"), "{error}");
        let elsewhere = [("AWS_CONFIG_FILE", "/c"), ("AWS_SHARED_CREDENTIALS_FILE", "/s")];
        let shown = load(FILES, &elsewhere).1.to_string();
        assert_eq!(shown, "\"default\" in /s and /c");
        drop(files);
    }
}
