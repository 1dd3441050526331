//! Where the programs are that tests run: the tools built by
//! `tests/tools/setup`, and the project's own binaries.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} is missing: run `make tools`", .0.display())]
    NotBuilt(PathBuf),
    #[error("{} is missing: run `cargo build --workspace --bins` in the same profile first", .0.display())]
    NoBinary(PathBuf),
    #[error("{0}/go.mod does not say which version of {1} to use")]
    NoVersion(&'static str, &'static str),
    #[error("neither KEYPOOL_CACHE nor HOME is set: no place for built tools")]
    NoCache,
    #[error("cannot tell where the running test program is: {0}")]
    NoSelf(#[source] std::io::Error),
}

/// A program that `tests/tools/setup` builds from a Go module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    directory: &'static str,
    module: &'static str,
    go_mod: &'static str,
    program: &'static str,
}

const fn kubernetes(program: &'static str) -> Tool {
    Tool {
        directory: "kubernetes",
        module: "k8s.io/kubernetes",
        go_mod: include_str!("../tools/kubernetes/go.mod"),
        program,
    }
}

pub const KUBE_APISERVER: Tool = kubernetes("kube-apiserver");
pub const KUBE_CONTROLLER_MANAGER: Tool = kubernetes("kube-controller-manager");
pub const KUBE_SCHEDULER: Tool = kubernetes("kube-scheduler");
pub const KUBE_PROXY: Tool = kubernetes("kube-proxy");
pub const KUBELET: Tool = kubernetes("kubelet");
pub const KUBECTL: Tool = kubernetes("kubectl");
pub const ETCD: Tool = Tool {
    directory: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    go_mod: include_str!("../tools/etcd/go.mod"),
    program: "etcd",
};
pub const COREDNS: Tool = Tool {
    directory: "coredns",
    module: "github.com/coredns/coredns",
    go_mod: include_str!("../tools/coredns/go.mod"),
    program: "coredns",
};
pub const HELM: Tool = Tool {
    directory: "helm",
    module: "helm.sh/helm/v4",
    go_mod: include_str!("../tools/helm/go.mod"),
    program: "helm",
};

impl Tool {
    pub fn name(self) -> &'static str {
        self.program
    }

    /// The program's path, or what to do about it when it is not there.
    pub fn path(self) -> Result<PathBuf, Error> {
        let version =
            version_in(self.go_mod, self.module).ok_or(Error::NoVersion(self.directory, self.module))?;
        let path = cache()?
            .join("tools")
            .join(format!("{}-{version}", self.directory))
            .join("bin")
            .join(self.program);
        if path.is_file() {
            Ok(path)
        } else {
            Err(Error::NotBuilt(path))
        }
    }
}

/// The directory outside the tree that built tools are kept in.
pub fn cache() -> Result<PathBuf, Error> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("KEYPOOL_CACHE")
        .or_else(|| set("HOME").map(|home| home.join(".cache/keypool")))
        .ok_or(Error::NoCache)
}

/// One of the workspace's own binaries, built in the profile of the running
/// test: `target/<profile>/<name>`, beside the directory of the test program.
pub fn binary(name: &str) -> Result<PathBuf, Error> {
    let own = std::env::current_exe().map_err(Error::NoSelf)?;
    let mut directory = own.parent().unwrap_or(Path::new("/"));
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    let path = directory.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::NoBinary(path))
    }
}

/// The root of the source tree.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// `module v1.2.3` in a go.mod, alone after `require` or in a block of them.
fn version_in<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next()? == module)
            .then(|| words.next())
            .flatten()
            .filter(|word| word.starts_with('v'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned() {
        for tool in [KUBE_APISERVER, ETCD, COREDNS, HELM] {
            assert!(version_in(tool.go_mod, tool.module).is_some(), "{tool:?}");
        }
    }

    #[test]
    fn a_version_is_found_alone_and_in_a_block() {
        assert_eq!(version_in("require a.b/c v1.0.0", "a.b/c"), Some("v1.0.0"));
        assert_eq!(
            version_in("require (\n\ta.b/c v1.0.1 // indirect\n)", "a.b/c"),
            Some("v1.0.1")
        );
        assert_eq!(version_in("replace a.b/c => a.b/d v1.0.1", "a.b/c"), None);
    }
}
