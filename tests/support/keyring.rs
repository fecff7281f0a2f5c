//! The real Secret Service: gnome-keyring on a private session bus.

use std::fs::{self, File};
use std::process::Stdio;

use crate::process::{self, Running};
use crate::tools::{Tool, all_there};
use crate::{Desk, eventually};

/// The programs that it needs.
const TOOLS: &[Tool] = &[
    Tool { program: "gnome-keyring-daemon", package: "gnome-keyring" },
    Tool { program: "dbus-daemon", package: "dbus-daemon" },
    Tool { program: "dbus-send", package: "dbus-bin" },
    Tool { program: "dbus-monitor", package: "dbus-bin" },
    Tool { program: "secret-tool", package: "libsecret-tools" },
];

/// Whether a Secret Service can be started here; always true in CI.
#[track_caller]
pub fn available() -> bool {
    all_there(TOOLS)
}

/// A session bus with an unlocked gnome-keyring, for one desk.
pub struct Keyring {
    _bus: Running,
    daemon: Option<Running>,
}

impl Keyring {
    /// Starts both, for a desk whose agent is not started yet.
    pub fn start(desk: &mut Desk) -> Keyring {
        let mut keyring = Keyring::bus_only(desk, &["--session"]);
        keyring.unlock(desk);
        keyring
    }

    /// Starts a bus without a keyring, on which a call starts none either.
    pub fn without_daemon(desk: &mut Desk) -> Keyring {
        let config = desk.path("bus.conf");
        fs::write(&config, BUS_WITHOUT_SERVICES).expect("the sandbox is writable");
        let config = config.display().to_string();
        Keyring::bus_only(desk, &["--config-file", &config])
    }

    fn bus_only(desk: &mut Desk, configuration: &[&str]) -> Keyring {
        let address = format!("unix:path={}", desk.runtime_directory().join("bus").display());
        let mut command = desk.command("dbus-daemon");
        command.args(configuration).args(["--nofork", "--print-address=2", "--address", &address]);
        let bus = Running::spawn(&mut command);
        bus.wait_for_line("unix:path");
        desk.set_env("DBUS_SESSION_BUS_ADDRESS", &address);
        Keyring { _bus: bus, daemon: None }
    }

    /// Stops the daemon; the bus stays.
    pub fn end_daemon(&mut self) {
        self.daemon = None;
    }

    /// Starts the daemon with its login keyring unlocked; the password is what a login would pass on.
    pub fn unlock(&mut self, desk: &Desk) {
        let password = desk.path("password");
        fs::write(&password, "test-only").expect("the sandbox is writable");
        let mut command = desk.command("gnome-keyring-daemon");
        command.args(["--unlock", "--components=secrets", "--foreground"]);
        let password = File::open(password).expect("it was just written");
        self.daemon = Some(Running::spawn_with(&mut command, Stdio::from(password)));
        Self::wait_for_name(desk);
    }

    /// Waits until the Secret Service is on the bus: `gdbus wait` would do, but is not everywhere.
    fn wait_for_name(desk: &Desk) {
        // A call to a name that is not there yet would start another daemon; a question to the bus itself does not.
        eventually("gnome-keyring comes up", || {
            let mut command = desk.command("dbus-send");
            command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
            command.args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]);
            process::run(&mut command, b"").stdout().contains("boolean true")
        });
    }

    /// Locks the login keyring, as a screen lock may do.
    pub fn lock(desk: &Desk) {
        let mut command = desk.command("dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"]);
        command
            .args(["org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"]);
        process::run(&mut command, b"").ok();
    }

    /// The daemon's process id.
    pub fn pid(&self) -> rustix::process::Pid {
        let pid = self.daemon.as_ref().expect("the daemon runs").pid();
        i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a process id")
    }
}

/// What goes over the bus about prompts, seen by `dbus-monitor`.
pub struct Prompts {
    monitor: Running,
    /// How often a prompt was shown.
    pub asked: usize,
    /// How many of them at once, at most.
    pub most_at_once: usize,
}

impl Prompts {
    /// Watches from now on.
    pub fn watch(desk: &Desk) -> Prompts {
        let mut command = desk.command("dbus-monitor");
        let marker = "interface='org.freedesktop.DBus.Peer'";
        command.args(["--session", "interface='org.freedesktop.Secret.Prompt'", marker]);
        let monitor = Running::spawn(&mut command);
        let prompts = Prompts { monitor, asked: 0, most_at_once: 0 };
        // It watches once it has seen a call; the first one may be too early.
        eventually("dbus-monitor sees a call", || {
            peer(desk, "Ping");
            prompts.monitor.written().contains("member=Ping")
        });
        prompts
    }

    /// Counts what was seen so far.
    #[must_use]
    pub fn finish(mut self, desk: &Desk) -> Prompts {
        // The bus keeps its order: whatever it shows after this call came later.
        let before = self.monitor.written().matches("member=GetMachineId").count();
        eventually("dbus-monitor sees the last call", || {
            peer(desk, "GetMachineId");
            self.monitor.written().matches("member=GetMachineId").count() > before
        });
        let mut open = 0_i64;
        for line in self.monitor.written().lines() {
            if line.contains("member=Prompt") {
                self.asked += 1;
                open += 1;
            } else if line.contains("member=Completed") {
                open -= 1;
            }
            self.most_at_once = self.most_at_once.max(usize::try_from(open).expect("each ends once"));
        }
        self
    }
}

fn peer(desk: &Desk, member: &str) {
    let mut command = desk.command("dbus-send");
    command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
    process::run(command.arg(format!("org.freedesktop.DBus.Peer.{member}")), b"").ok();
}

/// A session bus on which a call can start nothing.
const BUS_WITHOUT_SERVICES: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;
