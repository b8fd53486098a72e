//! The single looks of `hearken doctor`.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use hearken_engine::{Catalogue, HttpError, HttpRequest};

use super::Finding;
use crate::{
    clock,
    config::Config,
    egress::Egress,
    keys::{MASTER_FILE, ROOT_FILE},
    store::Store,
};

/// How long the public URL may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where clouds hand out credentials to whoever asks.
const METADATA_SERVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Looks at everything, in the order in which a start would fail.
pub(super) async fn all(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("configuration", "read; `hearken config print` shows it")];
    findings.push(apps(&config.apps_dir));
    findings.push(database(config).await);
    findings.extend(key_files(config));
    let (port, serving) = port(config);
    findings.push(port);
    findings.push(public_url(config, serving).await);
    findings.push(egress(config));
    findings
}

fn apps(root: &Path) -> Finding {
    let catalogue = Catalogue::load(root, None);
    let (good, bad) = (catalogue.apps().count(), catalogue.problems().len());
    let found = format!("{good} loaded, {bad} broken, from {}", root.display());
    match (good, bad) {
        (_, 1..) => {
            Finding::bad("apps", found, "`hearken app check` shows what is wrong with them.")
        }
        (0, 0) => Finding::bad("apps", found, "Set HEARKEN_APPS_DIR to the folder of app folders."),
        _ => Finding::ok("apps", found),
    }
}

async fn database(config: &Config) -> Finding {
    let shown = config.shown_database_url();
    let advice = "Set HEARKEN_DATABASE_URL to sqlite://path/to/file.db or postgres://user:password@host/name.";
    let store = match Store::open(&config.database_url).await {
        Ok(store) => store,
        Err(error) => return Finding::bad("database", format!("{shown}: {error}"), advice),
    };
    // A statement that writes but changes nothing: no key has this id.
    let finding = match store.touch_key("doctor", clock::now()).await {
        Ok(()) => Finding::ok("database", format!("{shown}, writable")),
        Err(error) => {
            let advice = "Its user, or the file and its folder, need the right to write.";
            Finding::bad(
                "database",
                format!("{shown} opens but cannot be written: {error}"),
                advice,
            )
        }
    };
    store.close().await;
    finding
}

/// Keys given by configuration are in no file, so there is nothing to look at.
fn key_files(config: &Config) -> Vec<Finding> {
    let files = [
        ("master key", MASTER_FILE, &config.master_key),
        ("root key", ROOT_FILE, &config.root_key),
    ];
    let look = |(what, file, given): (_, _, &Option<_>)| match given {
        Some(_) => Finding::ok(what, "given by the configuration"),
        None => key_file(what, &config.data_dir.join(file)),
    };
    files.into_iter().map(look).collect()
}

fn key_file(what: &'static str, path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(about) if about.permissions().mode() & 0o077 != 0 => {
            let advice = format!("Run `chmod 600 {shown}`.");
            Finding::bad(what, format!("{shown} can be read by others"), advice)
        }
        Ok(_) => match fs::File::open(path) {
            Ok(_) => Finding::ok(what, format!("{shown}, readable by its owner only")),
            Err(error) => Finding::bad(what, format!("{shown}: {error}"), "Run as its owner."),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Finding::ok(what, format!("made at {shown} on the first start"))
        }
        Err(error) => Finding::bad(what, format!("{shown}: {error}"), "Run as its owner."),
    }
}

/// Whether the address can be listened on, and whether somebody listens there already.
fn port(config: &Config) -> (Finding, bool) {
    let address = config.listen;
    match TcpListener::bind(address) {
        Ok(_) => (Finding::ok("address", format!("{address} is free")), false),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let advice =
                "Fine if that is this server; otherwise set HEARKEN_LISTEN to another port.";
            (Finding::doubtful("address", format!("something listens on {address}"), advice), true)
        }
        Err(error) => {
            let advice = "Set HEARKEN_LISTEN to an address of this machine.";
            (Finding::bad("address", format!("{address}: {error}"), advice), false)
        }
    }
}

async fn public_url(config: &Config, serving: bool) -> Finding {
    let what = "public URL";
    let url = config.public_url();
    let Some(given) = &config.public_url else {
        let advice = "Set HEARKEN_PUBLIC_URL to the URL under which providers reach this server.";
        return Finding::doubtful(what, format!("{url}, which providers cannot reach"), advice);
    };
    if given.scheme() != "https" {
        let advice = "Put a proxy that speaks HTTPS in front: most providers insist on it.";
        return Finding::doubtful(what, format!("{url} is not HTTPS"), advice);
    }
    if !serving {
        let advice = "Start the server and ask again to find out whether it is reached.";
        return Finding::doubtful(what, format!("{url}; nothing serves now"), advice);
    }
    match reach(config, &url).await {
        Ok(200) => Finding::ok(what, format!("{url} reaches a server")),
        Ok(status) => Finding::bad(
            what,
            format!("{url}/healthz answers {status}"),
            "The proxy in front does not lead here.",
        ),
        Err(why) => {
            let advice = "Check the name, the certificate and the proxy in front.";
            Finding::bad(what, format!("{url} cannot be reached: {why}"), advice)
        }
    }
}

async fn reach(config: &Config, url: &str) -> Result<u16, String> {
    let egress = Egress::new(&config.egress_allow, PATIENCE).map_err(|error| error.to_string())?;
    let request = HttpRequest {
        method: "GET".to_owned(),
        url: format!("{url}/healthz"),
        headers: Vec::new(),
        body: None,
    };
    match egress.call(request).await {
        Ok(answer) => Ok(answer.status),
        Err(HttpError::Denied(why) | HttpError::Unreachable(why)) => Err(why),
        Err(HttpError::Timeout { seconds }) => Err(format!("no answer within {seconds} s")),
        Err(HttpError::TooLarge { .. }) => Err("the answer is not this server's".to_owned()),
    }
}

fn egress(config: &Config) -> Finding {
    let what = "outgoing calls";
    if config.egress_allow.is_empty() {
        return Finding::ok(what, "public addresses only");
    }
    let listed: Vec<_> = config.egress_allow.iter().map(ToString::to_string).collect();
    let listed = listed.join(", ");
    if config.egress_allow.iter().any(|network| network.contains(&METADATA_SERVICE)) {
        let advice = "Name the networks that are needed in HEARKEN_EGRESS_ALLOW, and no more.";
        let detail = format!("{listed} include the address where clouds hand out credentials");
        return Finding::bad(what, detail, advice);
    }
    Finding::ok(what, format!("public addresses, and {listed}"))
}
