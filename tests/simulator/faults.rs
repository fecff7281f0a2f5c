//! Calls are counted as they arrive, and go wrong as scripted.

use std::thread;
use std::time::Duration;

use ghapp_tests::github::{Endpoint, Fault};
use reqwest::Method;

use crate::client::{Client, Scene, bearer};

#[test]
fn a_scripted_answer_is_given_as_often_as_asked_for() {
    let scene = Scene::new();
    let wait = Duration::from_secs(30);
    scene.github.fault(Endpoint::AppGet, Fault::secondary_rate_limit(Some(wait)), 2);
    scene.github.fault(Endpoint::AppGet, Fault::bad_gateway(), 1);
    assert_eq!(scene.get("/users/acme/installation").status, 200);
    assert_eq!(scene.get("/app").header("retry-after"), "30");
    assert_eq!(scene.get("/app").status, 403);
    scene.get("/app").refused(502, "Server Error");
    assert_eq!(scene.get("/app").status, 200);

    let limited = Fault::primary_rate_limit(1_900_000_000);
    scene.github.fault(Endpoint::Mint, limited, 1);
    let reply = scene.client.mint_raw(&scene.app, scene.installation, "");
    assert_eq!(reply.header("x-ratelimit-remaining"), "0");
    assert_eq!(scene.github.mints(), []);
    assert_eq!(scene.github.calls().of(Endpoint::Mint), 1);
}

#[test]
fn a_connection_can_be_cut_before_or_after_the_work_is_done() {
    let scene = Scene::new();
    let authorization = bearer(&scene.app);
    let path = format!("/app/installations/{}/access_tokens", scene.installation);
    let mint = || {
        let headers = [("authorization", authorization.as_str())];
        scene.client.try_call(Method::POST, &path, &headers, "").map(|reply| reply.status)
    };
    scene.github.fault(Endpoint::Mint, Fault::Close, 1);
    assert!(mint().is_err());
    assert_eq!(scene.github.mints().len(), 0);

    scene.github.fault(Endpoint::Mint, Fault::LoseAnswer, 1);
    assert!(mint().is_err());
    assert_eq!(scene.github.mints().len(), 1);
    assert_eq!(mint().unwrap(), 201);
}

#[test]
fn calls_wait_while_they_are_held() {
    let scene = Scene::new();
    let hold = scene.github.hold(Endpoint::AppGet);
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let client = Client::new(&scene.github);
            let authorization = bearer(&scene.app);
            thread::spawn(move || client.get("/app", &authorization).status)
        })
        .collect();
    scene.github.wait_until(|calls| calls.of(Endpoint::AppGet) == 3);
    assert!(scene.github.calls().iter().all(|call| call.status.is_none()));
    hold.release();
    for caller in callers {
        assert_eq!(caller.join().unwrap(), 200);
    }
    assert!(scene.github.calls().iter().all(|call| call.status.is_some()));
    assert_eq!(scene.get("/app").status, 200);
}

#[test]
fn a_delayed_call_is_carried_out() {
    let scene = Scene::new();
    scene.github.fault(Endpoint::AppGet, Fault::Delay(Duration::from_millis(1)), 1);
    assert_eq!(scene.get("/app").status, 200);
}

#[test]
fn calls_are_counted_by_kind_and_connections_are_reused() {
    let scene = Scene::new();
    scene.get("/app");
    scene.get("/users/acme/installation?x=1");
    scene.get("/nothing");
    let calls = scene.github.calls();
    assert_eq!((calls.api(), calls.git(), calls.len()), (3, 0, 3));
    assert_eq!(calls.of(Endpoint::UserInstallation), 1);
    assert_eq!(calls.of(Endpoint::UnknownApi), 1);
    assert_eq!(calls.iter().nth(1).unwrap().line, "GET /api/v3/users/acme/installation?x=1");
    assert_eq!(scene.github.connections(), 1);
}
