//! `buildah` as a builder that needs neither a network nor overlay mounts.

use std::path::Path;

use tokio::process::Command;

use super::{Error, Image, run};

/// Builds `image` from `context` into an archive that containerd imports.
pub(super) async fn build(
    image: &Image,
    context: &Path,
    archive: &Path,
    storage: &Path,
) -> Result<(), Error> {
    let mut build = buildah(storage);
    build.args([
        "bud",
        "--isolation",
        "chroot",
        "--pull-never",
        "--layers=false",
        "--tag",
        &image.name,
        "--file",
    ]);
    run(build.arg(&image.containerfile).arg(context), &image.name).await?;
    let target = format!("docker-archive:{}:{}", archive.display(), image.name);
    run(buildah(storage).args(["push", &image.name, &target]), &image.name).await?;
    // Its own copy is of no more use, and the storage is memory.
    run(
        buildah(storage).args(["rmi", "--force", &image.name]),
        &image.name,
    )
    .await
    .map(drop)
}

fn buildah(storage: &Path) -> Command {
    let mut command = Command::new("buildah");
    command
        .args(["--storage-driver", "vfs", "--root"])
        .arg(storage.join("storage"));
    command.arg("--runroot").arg(storage.join("storage-run"));
    command
}
