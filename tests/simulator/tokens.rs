//! How long a token is good for the API, and how it dies.

use std::time::Duration;

use ghapp_tests::github::{Endpoint, Selection};
use jiff::SignedDuration;
use serde_json::json;

use crate::client::{Scene, bearer};

const DEAD: &str = "Bad credentials";

fn repositories(scene: &Scene, token: &str) -> crate::client::Reply {
    scene.client.get("/installation/repositories", &format!("Bearer {token}"))
}

#[test]
fn a_token_lists_the_repositories_it_was_minted_for() {
    let scene = Scene::with(Selection::selected(&["web", "api"]), &[("contents", "read")]);
    let all = repositories(&scene, &scene.token());
    assert_eq!(all.json["total_count"], 2);

    let narrow = json!({ "repositories": ["web"] });
    let minted = scene.client.mint(&scene.app, scene.installation, &narrow);
    let token = minted.json["token"].as_str().unwrap();
    let narrow = scene.client.get("/installation/repositories", &format!("token {token}"));
    assert_eq!(narrow.json["total_count"], 1);
    assert_eq!(narrow.json["repositories"][0]["name"], "web");

    let as_app = scene.client.get("/installation/repositories", &bearer(&scene.app));
    as_app.refused(403, "Resource not accessible by integration");
}

#[test]
fn a_token_can_revoke_itself_once() {
    let scene = Scene::new();
    let authorization = format!("Bearer {}", scene.token());
    assert_eq!(scene.client.delete("/installation/token", &authorization).status, 204);
    scene.client.delete("/installation/token", &authorization).refused(401, DEAD);
    assert_eq!(scene.github.calls().of(Endpoint::Revoke), 2);
}

#[test]
fn a_token_dies_when_its_time_is_over() {
    let scene = Scene::new();
    scene.github.token_lifetime(Duration::from_secs(600));
    let token = scene.token();
    let mint = scene.github.mints().remove(0);
    assert_eq!(mint.expires_at.duration_since(mint.minted_at), SignedDuration::from_mins(10));
    assert_eq!(repositories(&scene, &token).status, 200);
    scene.github.clock_ahead(SignedDuration::from_mins(11));
    repositories(&scene, &token).refused(401, DEAD);
}

#[test]
fn a_token_dies_with_its_installation_or_when_it_is_killed() {
    let scene = Scene::new();
    let tokens: Vec<String> = (0..3).map(|_| scene.token()).collect();
    scene.github.revoke_token(&tokens[0]);
    repositories(&scene, &tokens[0]).refused(401, DEAD);
    assert_eq!(repositories(&scene, &tokens[1]).status, 200);
    scene.github.kill_all_tokens();
    repositories(&scene, &tokens[1]).refused(401, DEAD);

    let token = scene.token();
    scene.github.suspend(scene.installation);
    scene.github.unsuspend(scene.installation);
    repositories(&scene, &token).refused(401, DEAD);

    let token = scene.token();
    scene.github.uninstall(scene.installation);
    repositories(&scene, &token).refused(401, DEAD);
}
