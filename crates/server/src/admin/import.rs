//! `import`: what another server has of an organization, or an export of it.

use std::path::Path;

use anyhow::Context;

use crate::{
    admin::{check_org, read_word},
    app::World,
    cli::ImportOptions,
    config::Config,
    import::{Conversations, Import, Remote},
    open_store,
    output::Shown,
};

pub(crate) async fn import(
    config: &Config,
    world: World,
    shown: Shown,
    options: ImportOptions,
) -> anyhow::Result<()> {
    let is_url = options.from.starts_with("https://") || options.from.starts_with("http://");
    anyhow::ensure!(is_url || options.key_file.is_none(), "--key-file: only another server wants a key");
    let store = open_store(config, &world).await?;
    check_org(&store, options.org).await?;
    let conversations =
        if options.without_conversations { Conversations::Without } else { Conversations::With };
    let mut import = Import::new(&store, options.org, ingest::rules(config.completion_wait()), conversations);
    if is_url {
        let file = options.key_file.context("--key-file: the other server wants an API key")?;
        let key = read_word(&file, "--key-file")?;
        let allow = config.allow_list()?;
        let mut remote = Remote::new(&options.from, &key, allow, world.clock.clone()).context("--from")?;
        import.pull(&mut remote).await?;
    } else {
        import.read_path(Path::new(&options.from)).await?;
    }
    shown.one(&import.summary(), &import.told());
    Ok(())
}
