//! The commands that our READMEs tell people to type, typed word for word.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::kubectl::{self, succeeded};
use crate::tools;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} has {count} command blocks with `{text}`, not one: the test that runs it must follow")]
    Block {
        path: PathBuf,
        text: String,
        count: usize,
    },
    #[error(transparent)]
    Tool(#[from] tools::Error),
    #[error("cannot set PATH: {0}")]
    Path(#[from] std::env::JoinPathsError),
    #[error("following {path}: {source}")]
    Followed { path: PathBuf, source: kubectl::Error },
}

/// A README with blocks of commands.
#[derive(Clone, Debug)]
pub struct Guide {
    path: PathBuf,
    blocks: Vec<String>,
}

impl Guide {
    /// Reads a README by its path in the repository.
    pub fn read(path: &str) -> Result<Self, Error> {
        let path = tools::repository().join(path);
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            blocks: blocks(&text),
            path,
        })
    }

    /// Commands that something else than a README tells people to type.
    pub fn of(name: &str, commands: &str) -> Self {
        Self {
            path: name.into(),
            blocks: vec![commands.to_owned()],
        }
    }

    /// The one block of commands that holds a text.
    pub fn block(&self, text: &str) -> Result<&str, Error> {
        let mut with: Vec<&String> = self.blocks.iter().filter(|block| block.contains(text)).collect();
        match (with.pop(), with.len()) {
            (Some(block), 0) => Ok(block),
            (last, others) => Err(Error::Block {
                path: self.path.clone(),
                text: text.to_owned(),
                count: others + usize::from(last.is_some()),
            }),
        }
    }

    /// Runs the blocks that hold these texts, one after the other in one shell,
    /// in a directory as a person would whose kubectl and helm use this
    /// kubeconfig, and gives what they printed. Their background jobs end with
    /// them.
    pub async fn follow(&self, texts: &[&str], directory: &Path, kubeconfig: &Path) -> Result<String, Error> {
        let blocks: Vec<&str> = texts
            .iter()
            .map(|text| self.block(text))
            .collect::<Result<_, _>>()?;
        let blocks = blocks.join("\n");
        let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{blocks}");
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(directory)
            .env("PATH", path_with_tools()?)
            .env("NO_PROXY", "*");
        // Not the files of whoever runs the tests.
        let home = kubeconfig.with_file_name("helm");
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, &home);
        }
        let followed = |source| Error::Followed {
            path: self.path.clone(),
            source,
        };
        let output = kubectl::run(command, kubeconfig, "").await.map_err(followed)?;
        succeeded(output, "bash", &[&blocks]).map_err(followed)
    }
}

/// Our kubectl and helm before all else.
pub fn path_with_tools() -> Result<std::ffi::OsString, Error> {
    let programs = [tools::KUBECTL.path()?, tools::HELM.path()?];
    let ours = programs
        .iter()
        .filter_map(|program| program.parent())
        .map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(ours.chain(std::env::split_paths(&path)))?)
}

/// What stands between the fences of `console` blocks.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line == "```console") {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_are_blocks() {
        let text =
            "# A\n```console\nmake run\n```\n```yaml\na: b\n```\n```console\none\ntwo \\\n  three\n```\n";
        assert_eq!(blocks(text), ["make run", "one\ntwo \\\n  three"]);
    }

    #[test]
    fn a_block_that_is_gone_is_told() {
        let guide = Guide {
            path: "README.md".into(),
            blocks: vec!["make run".to_owned(), "make test".to_owned()],
        };
        assert_eq!(guide.block("make run").unwrap(), "make run");
        for (text, count) in [("make", 2), ("helm", 0)] {
            let error = guide.block(text).unwrap_err();
            assert!(
                error.to_string().contains(&format!("{count} command blocks")),
                "{error}"
            );
        }
    }
}
