//! From a repository, an owner or an App to installations, and what is found after a rename.

use ghapp_tests::github::{AccountKind, Endpoint, Selection};
use serde_json::Value;

use crate::client::{Scene, bearer};

#[test]
fn an_installation_is_found_by_repository_owner_and_id() {
    let scene = Scene::with(Selection::selected(&["web"]), &[("contents", "read")]);
    let by_id = format!("/app/installations/{}", scene.installation);
    let paths = [
        "/repos/acme/web/installation",
        "/repos/ACME/Web/installation",
        "/orgs/acme/installation",
        "/users/Acme/installation",
        by_id.as_str(),
    ];
    for path in paths {
        let reply = scene.get(path);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.json["id"], scene.installation, "{path}");
        assert_eq!(reply.json["account"]["login"], "acme");
        assert_eq!(reply.json["target_type"], "Organization");
        assert_eq!(reply.json["repository_selection"], "selected");
        assert_eq!(reply.json["permissions"]["metadata"], "read");
        assert_eq!(reply.json["suspended_at"], Value::Null);
    }
}

#[test]
fn what_the_app_is_not_installed_on_is_not_found() {
    let scene = Scene::with(Selection::selected(&["web"]), &[("contents", "read")]);
    scene.github.create_repository("globex/web");
    scene.github.create_account("octocat", AccountKind::User);
    let other = scene.github.create_app("Other", "globex");
    let foreign = scene.github.install(&other, "octocat", Selection::All, &[]);
    let paths = [
        "/repos/acme/api/installation".to_owned(),
        "/repos/acme/nothing/installation".to_owned(),
        "/repos/globex/web/installation".to_owned(),
        "/users/globex/installation".to_owned(),
        "/users/octocat/installation".to_owned(),
        format!("/app/installations/{foreign}"),
    ];
    for path in paths {
        scene.get(&path).refused(404, "Not Found");
    }
    let octocat = scene.client.get("/users/octocat/installation", &bearer(&other));
    assert_eq!(octocat.json["id"], foreign);
    assert_eq!(octocat.json["account"]["type"], "User");
    scene.client.get("/orgs/octocat/installation", &bearer(&other)).refused(404, "Not Found");
}

#[test]
fn an_installation_on_an_enterprise_has_no_login_and_no_repositories() {
    let scene = Scene::new();
    scene.github.create_account("megacorp", AccountKind::Enterprise);
    let id = scene.github.install(&scene.app, "megacorp", Selection::All, &[]);
    let reply = scene.get(&format!("/app/installations/{id}"));
    assert_eq!(reply.json["target_type"], "Enterprise");
    assert_eq!(reply.json["account"]["slug"], "megacorp");
    assert_eq!(reply.json["account"].get("login"), None);
    scene.get("/users/megacorp/installation").refused(404, "Not Found");
}

#[test]
fn a_suspended_installation_is_still_found() {
    let scene = Scene::new();
    scene.github.suspend(scene.installation);
    assert!(scene.get("/users/acme/installation").json["suspended_at"].is_string());
    scene.github.unsuspend(scene.installation);
    assert_eq!(scene.get("/users/acme/installation").json["suspended_at"], Value::Null);
    scene.github.uninstall(scene.installation);
    scene.get("/users/acme/installation").refused(404, "Not Found");
}

#[test]
fn a_former_name_redirects_by_id_until_it_is_taken_again() {
    let scene = Scene::new();
    let id = scene.github.create_repository("acme/old");
    scene.github.rename_repository("acme/old", "acme/new");

    let reply = scene.get("/repos/Acme/OLD/installation");
    reply.refused(301, "Moved Permanently");
    let location = reply.header("location").to_owned();
    assert_eq!(location, format!("{}/repositories/{id}/installation", scene.github.api_url()));
    assert_eq!(reply.json["url"], location.as_str());
    let followed = scene.get(location.trim_start_matches(&scene.github.api_url()));
    assert_eq!(followed.json["id"], scene.installation);
    assert_eq!(scene.get("/repos/acme/new/installation").status, 200);

    // An App that cannot see the repository is not told where it went.
    let stranger = scene.github.create_app("Stranger", "globex");
    scene.client.get("/repos/acme/old/installation", &bearer(&stranger)).refused(404, "Not Found");

    scene.github.create_repository("acme/old");
    assert_eq!(scene.get("/repos/acme/old/installation").status, 200);
}

#[test]
fn the_list_of_installations_comes_in_pages() {
    let scene = Scene::new();
    for number in 0..4 {
        scene.github.install(&scene.app, &format!("org-{number}"), Selection::All, &[]);
    }
    let first = scene.get("/app/installations?per_page=2");
    assert_eq!(first.json.as_array().unwrap().len(), 2);
    let api = scene.github.api_url();
    assert_eq!(
        first.header("link"),
        format!(
            "<{api}/app/installations?per_page=2&page=2>; rel=\"next\", \
             <{api}/app/installations?per_page=2&page=3>; rel=\"last\""
        )
    );
    let last = scene.get("/app/installations?per_page=2&page=3");
    assert_eq!(last.json.as_array().unwrap().len(), 1);
    assert!(!last.header("link").contains("rel=\"next\""));
    let all = scene.get("/app/installations");
    assert_eq!(all.json.as_array().unwrap().len(), 5);
    assert!(all.headers.get("link").is_none());
    assert_eq!(scene.github.calls().of(Endpoint::InstallationsList), 3);
    assert_eq!(scene.get("/app").json["installations_count"], 5);
}

#[test]
fn the_bot_user_and_the_version_are_public() {
    let scene = Scene::new();
    let stranger = |path: &str| scene.client.get_as_a_stranger(path);
    let bot = stranger("/users/build-bot%5Bbot%5D");
    assert_eq!(bot.json["login"], "build-bot[bot]");
    assert_ne!(bot.json["id"], scene.app.app_id);
    assert!(stranger("/meta").json["installed_version"].is_string());
    stranger("/users/nobody").refused(404, "Not Found");
    scene.client.get("/users/build-bot%5Bbot%5D", "Bearer ghs_nobodys").refused(401, "Bad credentials");
}

#[test]
fn strangers_see_public_repositories_and_in_private_mode_nothing() {
    let scene = Scene::with(Selection::selected(&["web"]), &[("contents", "read")]);
    scene.github.create_public_repository("globex/site");
    let token = format!("token {}", scene.client.token(&scene.app, scene.installation));
    let stranger = |path: &str| scene.client.get_as_a_stranger(path);
    assert_eq!(stranger("/repos/globex/site").json["private"], false);
    stranger("/repos/acme/web").refused(404, "Not Found");
    assert_eq!(scene.client.get("/repos/acme/web", &token).json["full_name"], "acme/web");
    scene.client.get("/repos/acme/api", &token).refused(404, "Not Found");
    scene.github.private_mode(true);
    for path in ["/repos/globex/site", "/users/build-bot%5Bbot%5D"] {
        stranger(path).refused(401, "Must authenticate to access this API.");
        assert_eq!(scene.client.get(path, &token).status, 200, "{path}");
    }
}
