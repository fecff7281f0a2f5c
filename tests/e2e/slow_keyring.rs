//! A Secret Service that answers late, or takes a key and does not keep it: the only copy of a key is never lost to it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]
#![allow(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    clippy::used_underscore_binding,
    reason = "what goes over the bus says what is passed"
)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, binary, eventually};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use zbus::blocking::{Connection, connection};
use zbus::message::Header;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Type, Value};

const TOOLS: &[Tool] = &[Tool { program: "dbus-daemon", package: "dbus-daemon" }];
const SERVICE: &str = "/org/freedesktop/secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";
const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";
const SESSION: &str = "/org/freedesktop/secrets/session/1";
/// "No prompt", and "nothing".
const NONE: &str = "/";

/// A secret as it goes over the bus. It stays encrypted: the key that the service gives for the exchange makes the same secret of every
/// session, so what one session stored another can read.
#[derive(Debug, Clone, Serialize, Deserialize, Type)]
struct Sealed {
    session: OwnedObjectPath,
    parameters: Vec<u8>,
    value: Vec<u8>,
    content_type: String,
}

/// What the service has and does. There is one item at most.
#[derive(Default)]
struct Stock {
    item: Option<Sealed>,
    /// It takes what it is given, and keeps none of it.
    is_deaf: bool,
    /// Who called `CreateItem`.
    creators: Vec<String>,
    deletions: usize,
}

#[derive(Clone)]
struct Shared {
    stock: Arc<Mutex<Stock>>,
    /// How many calls of `CreateItem`, counted from the first, may go on.
    released: watch::Receiver<usize>,
}

fn path(text: &str) -> OwnedObjectPath {
    ObjectPath::try_from(text).unwrap().into()
}

struct Service(Shared);

#[zbus::interface(name = "org.freedesktop.Secret.Service")]
impl Service {
    fn open_session(&self, _algorithm: &str, _input: Value<'_>) -> (OwnedValue, OwnedObjectPath) {
        (Value::from(vec![1_u8]).try_into().unwrap(), path(SESSION))
    }

    fn search_items(&self, _attributes: HashMap<String, String>) -> (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) {
        let found = self.0.stock.lock().unwrap().item.iter().map(|_| path(ITEM)).collect();
        (found, Vec::new())
    }

    fn read_alias(&self, _name: &str) -> OwnedObjectPath {
        path(COLLECTION)
    }
}

struct Collection(Shared);

#[zbus::interface(name = "org.freedesktop.Secret.Collection")]
impl Collection {
    #[zbus(property)]
    fn locked(&self) -> bool {
        false
    }

    async fn create_item(
        &self,
        #[zbus(header)] header: Header<'_>,
        _properties: HashMap<String, OwnedValue>,
        secret: Sealed,
        _replace: bool,
    ) -> (OwnedObjectPath, OwnedObjectPath) {
        let number = {
            let mut stock = self.0.stock.lock().unwrap();
            stock.creators.push(header.sender().unwrap().to_string());
            stock.creators.len()
        };
        self.0.released.clone().wait_for(|released| *released == usize::MAX || number > *released).await.unwrap();
        let mut stock = self.0.stock.lock().unwrap();
        if !stock.is_deaf {
            stock.item = Some(secret);
        }
        (path(ITEM), path(NONE))
    }
}

struct Item(Shared);

#[zbus::interface(name = "org.freedesktop.Secret.Item")]
impl Item {
    #[zbus(property)]
    fn locked(&self) -> bool {
        false
    }

    fn get_secret(&self, _session: OwnedObjectPath) -> (Sealed,) {
        (self.0.stock.lock().unwrap().item.clone().unwrap(),)
    }

    fn set_secret(&self, secret: Sealed) {
        let mut stock = self.0.stock.lock().unwrap();
        if !stock.is_deaf {
            stock.item = Some(secret);
        }
    }

    fn delete(&self) -> OwnedObjectPath {
        let mut stock = self.0.stock.lock().unwrap();
        stock.item = None;
        stock.deletions += 1;
        path(NONE)
    }
}

/// The service on a bus of the desk's own.
struct SlowKeyring {
    shared: Shared,
    release: watch::Sender<usize>,
    connection: Connection,
    _bus: Running,
}

impl SlowKeyring {
    /// A service that holds back that many calls of `CreateItem`, the first ones.
    fn start(desk: &mut Desk, held_back: usize) -> SlowKeyring {
        let address = format!("unix:path={}", desk.runtime_directory().join("bus").display());
        let mut command = desk.command("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=2", "--address", &address]);
        let bus = Running::spawn(&mut command);
        bus.wait_for_line("unix:path");
        desk.set_env("DBUS_SESSION_BUS_ADDRESS", &address);
        let (release, released) = watch::channel(held_back);
        let shared = Shared { stock: Arc::default(), released };
        let connection = connection::Builder::address(address.as_str())
            .unwrap()
            .name("org.freedesktop.secrets")
            .unwrap()
            .serve_at(SERVICE, Service(shared.clone()))
            .unwrap()
            .serve_at(COLLECTION, Collection(shared.clone()))
            .unwrap()
            .serve_at(ITEM, Item(shared.clone()))
            .unwrap()
            .build()
            .unwrap();
        SlowKeyring { shared, release, connection, _bus: bus }
    }

    /// Answers what it has held back, and waits until the agent's thread has made of it what it makes: then it leaves the bus.
    fn answer_the_late_one(&self) {
        self.release.send(usize::MAX).unwrap();
        let late = self.shared.stock.lock().unwrap().creators[0].clone();
        let bus = zbus::blocking::fdo::DBusProxy::new(&self.connection).unwrap();
        eventually("the late thread has ended", || !bus.name_has_owner(late.as_str().try_into().unwrap()).unwrap());
    }

    fn has_key(&self) -> bool {
        self.shared.stock.lock().unwrap().item.is_some()
    }
}

/// The App's key in a file, and the login that deletes it once the key is kept.
fn login_and_delete(desk: &Desk) -> (PathBuf, Output) {
    let file = desk.path("bot.pem");
    std::fs::write(&file, desk.app.pem()).unwrap();
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--delete-pem", "--pem"]).arg(&file).args(desk.login_flags(&desk.app, "keyring"));
    (file, process::run(&mut command, b""))
}

#[test]
fn a_login_that_was_given_up_does_not_take_the_key_of_the_next_one() {
    if !all_there(TOOLS) {
        return;
    }
    let mut desk = Desk::new();
    let keyring = SlowKeyring::start(&mut desk, 1);
    let (_, given_up) = login_and_delete(&desk);
    given_up.failed().stderr_contains("error[E36]");
    let (file, outcome) = login_and_delete(&desk);
    outcome.ok();
    assert!(!file.exists());
    keyring.answer_the_late_one();
    assert_eq!(keyring.shared.stock.lock().unwrap().deletions, 0);
    assert!(keyring.has_key(), "the only copy of the key is gone");
    desk.set_up_git();
    desk.kill_agent(); // with the JWT of the login
    desk.token("acme/web");
}

#[test]
fn a_login_that_was_given_up_and_not_tried_again_leaves_no_key() {
    if !all_there(TOOLS) {
        return;
    }
    let mut desk = Desk::new();
    let keyring = SlowKeyring::start(&mut desk, 1);
    let (file, given_up) = login_and_delete(&desk);
    given_up.failed().stderr_contains("error[E36]");
    assert!(file.exists());
    keyring.answer_the_late_one();
    assert!(!keyring.has_key());
}

#[test]
fn a_keyring_that_takes_a_key_and_does_not_keep_it_is_found_out_before_the_file_is_deleted() {
    if !all_there(TOOLS) {
        return;
    }
    let mut desk = Desk::new();
    let keyring = SlowKeyring::start(&mut desk, 0);
    keyring.shared.stock.lock().unwrap().is_deaf = true;
    let (file, outcome) = login_and_delete(&desk);
    outcome.failed().stderr_contains("error[E47]: the keyring refused: it took the key, and does not have it");
    assert!(file.exists(), "it is the only copy");
    assert!(!desk.config_file().exists());

    // The same when an App that works gets one more key.
    keyring.shared.stock.lock().unwrap().is_deaf = false;
    desk.log_in("keyring").ok();
    *keyring.shared.stock.lock().unwrap() = Stock { is_deaf: true, ..Stock::default() };
    let second = desk.github.add_key(&desk.app);
    std::fs::write(&file, second).unwrap();
    let mut command = desk.command(binary("ghapp"));
    let outcome = process::run(command.args(["key", "rotate", "--delete-pem", "--pem"]).arg(&file), b"");
    outcome.failed().stderr_contains("it took the key, and does not have it");
    assert!(file.exists());
}

#[test]
fn what_is_wiped_of_a_stack_is_there_whatever_size_the_environment_gives_stacks() {
    if !all_there(TOOLS) {
        return;
    }
    let mut desk = Desk::new();
    let keyring = SlowKeyring::start(&mut desk, 0);
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground").env("RUST_MIN_STACK", "200000"));
    agent.wait_for_line("listening");
    desk.log_in("keyring").ok();
    assert!(keyring.has_key());
}
