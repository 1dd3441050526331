//! Images for the node, built without a registry, a network or a daemon:
//! collect a root file system, build FROM scratch, import.

mod buildah;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::Mutex;

use crate::tools;

/// The image that holds a pod's namespaces.
pub const PAUSE: &str = "keypool.test/pause:dev";
/// A shell with busybox and `getent`.
pub const SHELL: &str = "keypool.test/shell:dev";
// The product's images have the names that the chart and the examples give, so
// that these run as they are.
pub const OPERATOR: &str = concat!("ghcr.io/keypool/operator:", env!("CARGO_PKG_VERSION"));
pub const PROXY: &str = concat!("ghcr.io/keypool/proxy:", env!("CARGO_PKG_VERSION"));
pub const FAKE_PROVIDER: &str = concat!("ghcr.io/keypool/fake-provider:", env!("CARGO_PKG_VERSION"));

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Tool(#[from] tools::Error),
    #[error("cannot run {program}: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("{program} failed for image {image} ({status}): {output}")]
    Failed {
        program: String,
        image: String,
        status: std::process::ExitStatus,
        output: String,
    },
    #[error("cannot lay out image {image}: {source}")]
    Layout { image: String, source: std::io::Error },
}

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub name: String,
    pub containerfile: PathBuf,
    /// Programs and their paths in the image.
    pub programs: Vec<(PathBuf, String)>,
}

impl Image {
    pub fn new(name: &str, containerfile: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            containerfile,
            programs: Vec::new(),
        }
    }

    /// Puts a program of this machine into the image, with what it needs.
    pub fn with(mut self, program: impl Into<PathBuf>, path: impl Into<String>) -> Self {
        self.programs.push((program.into(), path.into()));
        self
    }

    pub fn pause() -> Self {
        Self::new(PAUSE, own("pause")).with("/usr/bin/catatonit", "/catatonit")
    }

    pub fn shell() -> Self {
        Self::new(SHELL, own("shell"))
            .with("/bin/busybox", "/bin/busybox")
            .with("/usr/bin/getent", "/bin/getent")
    }

    pub fn operator() -> Result<Self, Error> {
        Self::project(OPERATOR, "operator", "keypool-operator")
    }

    pub fn proxy() -> Result<Self, Error> {
        Self::project(PROXY, "proxy", "keypool-proxy")
    }

    pub fn fake_provider() -> Result<Self, Error> {
        Self::project(FAKE_PROVIDER, "fake-provider", "fake-provider")
    }

    fn project(name: &str, file: &str, program: &str) -> Result<Self, Error> {
        let containerfile = tools::repository()
            .join("images")
            .join(format!("{file}.Containerfile"));
        Ok(Self::new(name, containerfile).with(tools::binary(program)?, format!("/{program}")))
    }
}

fn own(name: &str) -> PathBuf {
    tools::repository()
        .join("tests/src/images")
        .join(format!("{name}.Containerfile"))
}

/// The node's images.
#[derive(Debug)]
pub struct Store {
    builds: PathBuf,
    containerd: PathBuf,
    /// What was added already. Held while one is built: tests that run side by
    /// side ask for the same images, and the builder's storage is one.
    added: Mutex<Vec<Image>>,
}

impl Store {
    /// `state` is a directory that goes with the node, `containerd` a socket.
    pub fn new(state: &Path, containerd: &Path) -> Self {
        Self {
            builds: state.join("images"),
            containerd: containerd.to_owned(),
            added: Mutex::default(),
        }
    }

    /// Builds the image and makes it known to the node, unless that is done
    /// already. Pods that use it need `imagePullPolicy: IfNotPresent`.
    pub async fn add(&self, image: &Image) -> Result<(), Error> {
        let mut added = self.added.lock().await;
        if added.contains(image) {
            return Ok(());
        }
        added.retain(|other| other.name != image.name);
        let failed = |source| Error::Layout {
            image: image.name.clone(),
            source,
        };
        std::fs::create_dir_all(&self.builds).map_err(failed)?;
        let context = tempfile::tempdir_in(&self.builds).map_err(failed)?;
        self.collect(image, &context.path().join("rootfs")).await?;
        let archive = context.path().join("image.tar");
        buildah::build(image, context.path(), &archive, &self.builds).await?;
        self.import(image, &archive).await?;
        added.push(image.clone());
        Ok(())
    }

    /// Takes the image away; running containers keep theirs.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        self.added.lock().await.retain(|image| image.name != name);
        run(self.ctr().args(["images", "remove", name]), name)
            .await
            .map(drop)
    }

    async fn collect(&self, image: &Image, root: &Path) -> Result<(), Error> {
        let mut command = Command::new(tools::repository().join("images/rootfs"));
        command.arg(root);
        for (program, path) in &image.programs {
            command.arg(format!("{}={path}", program.display()));
        }
        run(&mut command, &image.name).await.map(drop)
    }

    async fn import(&self, image: &Image, archive: &Path) -> Result<(), Error> {
        run(self.ctr().args(["images", "import"]).arg(archive), &image.name)
            .await
            .map(drop)
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command
            .arg("--address")
            .arg(&self.containerd)
            .args(["--namespace", "k8s.io"]);
        command
    }
}

/// Runs a command to its end; what it printed is in the error.
async fn run(command: &mut Command, image: &str) -> Result<String, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| Error::Start {
            program: program.clone(),
            source,
        })?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        .trim()
        .to_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(Error::Failed {
            program,
            image: image.to_owned(),
            status: output.status,
            output: text,
        }),
    }
}
