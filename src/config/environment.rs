//! Secrets by reference: `env:NAME` or `file:PATH`, and where both are looked up.

use super::problem::Fault;
use crate::model::Secret;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What a configuration may refer to: environment variables, and files beside it.
#[derive(Clone)]
pub struct Environment {
    variables: Variables,
    directory: PathBuf,
}

#[derive(Clone)]
enum Variables {
    Process,
    Given(BTreeMap<String, String>),
    Unasked,
}

/// What stands for every secret that is not asked for: any key will do, this one as a data key and
/// as a private key of SM2 too, of which 0 is none.
const NO_SECRET: [u8; 64] = [b'1'; 64];

impl std::fmt::Debug for Environment {
    // Its variables are where the secrets are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Environment {
    /// The variables of this process; relative paths start at `directory`.
    #[must_use]
    pub fn process(directory: &Path) -> Environment {
        Environment { variables: Variables::Process, directory: directory.to_owned() }
    }

    /// Just these variables; relative paths start at `directory`.
    #[must_use]
    pub fn given(directory: &Path, variables: &[(&str, &str)]) -> Environment {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment {
            variables: Variables::Given(variables.iter().map(own).collect()),
            directory: directory.to_owned(),
        }
    }

    /// No secrets at all: whatever is referred to is taken to be there, and not looked at.
    /// Relative paths start at `directory`.
    #[must_use]
    pub fn without_secrets(directory: &Path) -> Environment {
        Environment { variables: Variables::Unasked, directory: directory.to_owned() }
    }

    /// A path of the file, seen from the working directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// The name of this machine; among given variables, which say nothing of it, one like another.
    pub(super) fn host_name(&self) -> String {
        match &self.variables {
            Variables::Process => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            Variables::Given(_) | Variables::Unasked => "node".to_owned(),
        }
    }

    fn variable(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        use std::os::unix::ffi::OsStringExt;
        match &self.variables {
            Variables::Process => std::env::var_os(name).map(|value| value.into_vec()),
            Variables::Unasked => Some(NO_SECRET.to_vec()),
            Variables::Given(given) => given.get(name).map(|value| value.clone().into_bytes()),
        }
        .map(Zeroizing::new)
    }

    /// Looks up what a reference points to.
    pub(super) fn resolve(&self, reference: &Reference) -> Result<Resolved, Fault> {
        match reference {
            Reference::Variable(name) => match self.variable(name) {
                None => Err(Fault {
                    wrong: format!("the environment variable {name} is not set"),
                    right: format!("set {name} for this process"),
                }),
                Some(value) if value.is_empty() => Err(Fault {
                    wrong: format!("the environment variable {name} is empty"),
                    right: format!("set {name} to the secret"),
                }),
                Some(value) => Ok(Resolved { secret: Secret::new(value.to_vec()), exposed: None }),
            },
            Reference::File(_) if matches!(self.variables, Variables::Unasked) => {
                Ok(Resolved { secret: Secret::new(NO_SECRET.to_vec()), exposed: None })
            }
            Reference::File(path) => read(&self.path(Path::new(path))),
        }
    }
}

fn read(path: &Path) -> Result<Resolved, Fault> {
    let shown = path.display();
    let unreadable = |fault: std::io::Error| Fault {
        wrong: format!("the file {shown} cannot be read ({fault})"),
        right: "create it with the secret as its only line, readable by this user".to_owned(),
    };
    let content = std::fs::read(path).map(Zeroizing::new).map_err(unreadable)?;
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    let line = content.strip_suffix(b"\n").unwrap_or(&content);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(Fault {
            wrong: format!("the file {shown} is empty"),
            right: "write the secret into it as its only line".to_owned(),
        });
    }
    let exposed = (mode & 0o004 != 0).then(|| path.to_owned());
    Ok(Resolved { secret: Secret::new(line.to_vec()), exposed })
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// `env:NAME`.
    Variable(String),
    /// `file:PATH`.
    File(String),
}

impl Reference {
    /// Reads a reference. Anything else may be a literal secret, so the error does not repeat it.
    pub(super) fn read(text: &str) -> Result<Reference, Fault> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Ok(Reference::Variable(name.to_owned()))
            }
            Some(("file", path)) if !path.is_empty() => Ok(Reference::File(path.to_owned())),
            _ => Err(Fault::new(
                "is not a reference, and a secret itself never stands in this file",
                "write \"env:NAME\" or \"file:PATH\", and keep the secret there",
            )),
        }
    }
}

/// A secret, found.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) secret: Secret,
    /// The file it came from, when everybody on the machine may read that.
    pub(super) exposed: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    #[test]
    fn a_file_gives_its_line_and_says_when_everybody_may_read_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let environment = Environment::given(directory.path(), &[]);
        let path = directory.path().join("secret");
        write(&path, "s3cret\r\n").expect("written");
        set_permissions(&path, Permissions::from_mode(0o600)).expect("changed");
        let reference = Reference::read("file:secret").expect("a reference");
        let found = environment.resolve(&reference).expect("found");
        assert_eq!(found.secret.reveal(), b"s3cret");
        assert_eq!(found.exposed, None);
        set_permissions(&path, Permissions::from_mode(0o644)).expect("changed");
        assert_eq!(environment.resolve(&reference).expect("found").exposed, Some(path.clone()));
        write(&path, "\n").expect("written");
        assert!(environment.resolve(&reference).expect_err("empty").wrong.contains("is empty"));
    }

    #[test]
    fn what_is_not_a_reference_is_not_repeated() {
        for literal in ["hunter2", "env:", "file:", "http://x", ""] {
            let fault = Reference::read(literal).expect_err("not a reference");
            assert!(literal.is_empty() || !fault.wrong.contains(literal), "{fault:?}");
        }
    }

    #[test]
    fn secrets_that_are_not_asked_for_are_taken_to_be_there() {
        let environment = Environment::without_secrets(Path::new("/nowhere"));
        let text = "store.key = \"file:data.key\"\n[destination]\nsecret = \"env:NOT_SET\"\n\
                    [invitations]\nallow_http = true\nsecrets = [\"file:gone\"]";
        let config = crate::config::parse(text, "f", &environment).expect("it is right");
        assert!(config.store.key.is_some());
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let environment = Environment::given(Path::new("."), &[("A", "hunter2")]);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }
}
