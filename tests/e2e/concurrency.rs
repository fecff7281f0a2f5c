//! Many git commands at once: one agent, one lookup, one mint.

use std::thread;

use ghapp_tests::Desk;
use ghapp_tests::github::Endpoint;

/// As many as `git submodule update --jobs` of a busy machine.
const PARALLEL: usize = 20;

// rule 40
#[test]
fn twenty_cold_fetches_make_one_lookup_and_one_mint() {
    let desk = Desk::ready();
    let hold = desk.github.hold(Endpoint::Mint);
    thread::scope(|scope| {
        let clones: Vec<_> = (0..PARALLEL)
            .map(|number| {
                let desk = &desk;
                scope.spawn(move || {
                    let url = desk.github.clone_url("acme/web");
                    desk.git(["clone", "--quiet", &url, &format!("web-{number}")])
                })
            })
            .collect();
        // The mint is answered only after every git has met its 401 and so asks the agent, or is about to.
        desk.github.wait_until(|calls| calls.of(Endpoint::GitInfoRefs) >= PARALLEL);
        hold.release();
        for clone in clones {
            clone.join().unwrap().ok();
        }
    });
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::Mint)), (1, 1));
    let outcomes: Vec<_> = desk.audit().iter().filter(|line| line["call"] == "get").cloned().collect();
    assert_eq!(outcomes.iter().filter(|line| line["outcome"] == "mint").count(), 1);
    assert_eq!(outcomes.len(), PARALLEL);
}

#[test]
fn many_clients_at_once_start_one_agent_and_none_of_them_fails() {
    let desk = Desk::ready();
    for _ in 0..3 {
        desk.stop_agent();
        thread::scope(|scope| {
            let questions: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(|| desk.ghapp(["agent", "start"]))).collect();
            for question in questions {
                question.join().unwrap().ok();
            }
        });
        let pid = desk.agent().expect("one agent runs").pid;
        assert_eq!(desk.agent().map(|status| status.pid), Some(pid), "and it is the same for all");
        let runtime = std::fs::read_dir(desk.runtime_directory().join("ghapp")).unwrap();
        let names: Vec<_> = runtime.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.starts_with("s.")), "nothing half-made is left: {names:?}");
    }
}
