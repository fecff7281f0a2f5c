//! The screen is locked: logind says so on the system bus, and the agent forgets what it knows.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;

use ghapp_tests::process::Running;
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, binary, eventually};
use zbus::blocking::{Connection, connection};
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

const TOOLS: &[Tool] = &[Tool { program: "dbus-daemon", package: "dbus-daemon" }];
/// The session of this user, and one of another user.
const OURS: &str = "/org/freedesktop/login1/session/_31";
const FOREIGN: &str = "/org/freedesktop/login1/session/_32";
const SESSION: &str = "org.freedesktop.login1.Session";

/// What logind tells of a session.
struct Session {
    uid: u32,
}

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(property)]
    fn user(&self) -> (u32, OwnedObjectPath) {
        let path = ObjectPath::try_from(format!("/org/freedesktop/login1/user/_{}", self.uid)).unwrap();
        (self.uid, path.into())
    }
}

/// A system bus of this desk's own, with two sessions.
struct Machine {
    logind: Connection,
    _bus: Running,
}

impl Machine {
    fn start(desk: &mut Desk) -> Machine {
        let address = format!("unix:path={}", desk.runtime_directory().join("system-bus").display());
        let mut command = desk.command("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=2", "--address", &address]);
        let bus = Running::spawn(&mut command);
        bus.wait_for_line("unix:path");
        desk.set_env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        let uid = rustix::process::geteuid().as_raw();
        let logind = connection::Builder::address(address.as_str())
            .unwrap()
            .name("org.freedesktop.login1")
            .unwrap()
            .serve_at(OURS, Session { uid })
            .unwrap()
            .serve_at(FOREIGN, Session { uid: uid + 1 })
            .unwrap()
            .build()
            .unwrap();
        Machine { logind, _bus: bus }
    }

    /// As `loginctl lock-session` does.
    fn lock_screen(&self, session: &str) {
        self.logind.emit_signal(None::<&str>, session, SESSION, "Lock", &()).unwrap();
    }
}

fn wait_until_locked(desk: &Desk) {
    eventually("the agent is locked", || desk.agent().unwrap().locked);
}

#[test]
fn a_locked_screen_locks_the_agent_and_somebody_elses_does_not() {
    if !all_there(TOOLS) {
        return;
    }
    let mut desk = Desk::new();
    let machine = Machine::start(&mut desk);
    fs::create_dir_all(desk.config_file().parent().unwrap()).unwrap();
    fs::write(desk.config_file(), "[agent]\nlock_with_screen = true\n").unwrap();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground").env("GHAPP_LOG", "info"));
    agent.wait_for_line("screen locks are noticed");
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.token("acme/web");

    // Signals of one sender come in their order: once the agent has obeyed the second, it has ignored the first.
    machine.lock_screen(FOREIGN);
    machine.lock_screen(OURS);
    wait_until_locked(&desk);
    let locks = desk.audit().iter().filter(|line| line["call"] == "lock").count();
    assert_eq!(locks, 1);
    assert_eq!(desk.audit().iter().find(|line| line["call"] == "lock").unwrap()["outcome"], "screen lock");
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(4));

    // No other sender may say so, and after an unlock it goes on listening.
    desk.ghapp(["unlock"]).ok();
    let stranger = connection::Builder::address(desk.variable("DBUS_SYSTEM_BUS_ADDRESS").to_str().unwrap());
    let stranger = stranger.unwrap().build().unwrap();
    stranger.emit_signal(None::<&str>, OURS, SESSION, "Lock", &()).unwrap();
    // Once the bus has answered, the signal has passed through it.
    stranger
        .call_method(Some("org.freedesktop.DBus"), "/org/freedesktop/DBus", Some("org.freedesktop.DBus"), "GetId", &())
        .unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    assert!(!desk.agent().unwrap().locked);
    machine.lock_screen(OURS);
    wait_until_locked(&desk);
    let locks = desk.audit().iter().filter(|line| line["call"] == "lock").count();
    assert_eq!(locks, 2, "the stranger's signal counted");
}

#[test]
fn without_the_setting_or_without_a_bus_the_agent_serves_and_says_what_is_missing() {
    if !all_there(TOOLS) {
        return;
    }
    let mut desk = Desk::ready();
    let machine = Machine::start(&mut desk);
    desk.ghapp(["agent", "restart"]).ok();
    machine.lock_screen(OURS);
    assert!(!desk.agent().unwrap().locked);
    desk.stop_agent();
    let nowhere = format!("unix:path={}", desk.path("nowhere").display());
    desk.set_env("DBUS_SYSTEM_BUS_ADDRESS", nowhere);
    desk.configure("\n[agent]\nlock_with_screen = true\n").ok();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("screen locks are not noticed");
    desk.log_in("memory").ok();
    desk.token("acme/web");
}
