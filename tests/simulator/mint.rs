//! A mint gives what the request names if the installation has it, and nothing else.

use ghapp_tests::github::{AccountKind, Permissions, Selection, TokenShape};
use jiff::Timestamp;
use serde_json::json;

use crate::client::{Scene, bearer};

const NO_SUCH_REPOSITORY: &str =
    "There is at least one repository that does not exist or is not accessible to the parent installation.";
const NOT_GRANTED: &str = "The permissions requested are not granted to this installation.";

const PERMISSIONS: &[(&str, &str)] = &[("contents", "write"), ("issues", "read"), ("organization_projects", "admin")];

#[test]
fn an_empty_request_gives_everything() {
    let scene = Scene::with(Selection::All, PERMISSIONS);
    for body in ["", "{}", r#"{"repositories":[],"repository_ids":[],"permissions":{}}"#] {
        let reply = scene.client.mint_raw(&scene.app, scene.installation, body);
        assert_eq!(reply.status, 201);
        assert_eq!(reply.json["repository_selection"], "all");
        assert_eq!(reply.json.get("repositories"), None);
        let expected = json!({
            "contents": "write",
            "issues": "read",
            "metadata": "read",
            "organization_projects": "admin",
        });
        assert_eq!(reply.json["permissions"], expected);
    }
    assert!(scene.github.mints().iter().all(|mint| mint.repositories.is_none()));
}

#[test]
fn a_narrow_request_gives_exactly_that() {
    let scene = Scene::with(Selection::All, PERMISSIONS);
    let asked = json!({ "repositories": ["WEB"], "permissions": { "contents": "read" } });
    let reply = scene.client.mint(&scene.app, scene.installation, &asked);
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json["repository_selection"], "selected");
    assert_eq!(reply.json["repositories"][0]["full_name"], "acme/web");
    assert_eq!(reply.json["permissions"], json!({ "contents": "read", "metadata": "read" }));

    let mints = scene.github.mints();
    let [mint] = mints.as_slice() else { panic!("one mint, not {mints:?}") };
    assert_eq!(mint.app_id, scene.app.app_id);
    assert_eq!(mint.installation_id, scene.installation);
    assert_eq!(mint.asked, asked);
    assert_eq!(mint.repositories, Some(vec!["web".to_owned()]));
    assert_eq!(mint.permissions, Permissions::new(&[("contents", "read"), ("metadata", "read")]));
    assert_eq!(reply.json["token"], mint.token.as_str());
    let expires_at = reply.json["expires_at"].as_str().unwrap();
    assert!(expires_at.ends_with('Z') && expires_at.len() == 20, "{expires_at}");
    assert_eq!(expires_at.parse::<Timestamp>().unwrap(), mint.expires_at);
}

#[test]
fn repositories_can_be_named_by_id_after_a_rename() {
    let scene = Scene::new();
    let id = scene.github.create_repository("acme/old");
    scene.github.rename_repository("acme/old", "acme/new");
    let mint = |body| scene.client.mint(&scene.app, scene.installation, &body);
    mint(json!({ "repositories": ["old"] })).refused(422, NO_SUCH_REPOSITORY);
    assert_eq!(mint(json!({ "repository_ids": [id] })).json["repositories"][0]["name"], "new");
}

#[test]
fn repositories_outside_of_the_installation_are_refused() {
    let scene = Scene::with(Selection::selected(&["web"]), PERMISSIONS);
    let foreign = scene.github.create_repository("globex/web");
    let mint = |body| scene.client.mint(&scene.app, scene.installation, &body);
    for body in [
        json!({ "repositories": ["api"] }),
        json!({ "repositories": ["web", "nothing"] }),
        json!({ "repositories": ["acme/web"] }),
        json!({ "repository_ids": [foreign] }),
    ] {
        mint(body).refused(422, NO_SUCH_REPOSITORY);
    }
    let many: Vec<String> = (0..501).map(|number| format!("repo-{number}")).collect();
    let reply = mint(json!({ "repositories": many }));
    assert_eq!(reply.status, 422);
    assert!(reply.json["message"].as_str().unwrap().contains("500"));
    assert_eq!(scene.github.mints(), []);

    scene.github.select(scene.installation, Selection::All);
    assert_eq!(mint(json!({ "repositories": ["api"] })).status, 201);
}

#[test]
fn an_enterprise_installation_reaches_no_repository() {
    let scene = Scene::new();
    scene.github.create_account("megacorp", AccountKind::Enterprise);
    let id = scene.github.install(&scene.app, "megacorp", Selection::All, &[]);
    let mint = scene.client.mint(&scene.app, id, &json!({ "repositories": ["web"] }));
    mint.refused(422, NO_SUCH_REPOSITORY);
}

#[test]
fn permissions_above_the_installations_are_refused() {
    let scene = Scene::with(Selection::All, PERMISSIONS);
    let mint = |permissions| {
        let body = json!({ "permissions": permissions });
        scene.client.mint(&scene.app, scene.installation, &body)
    };
    mint(json!({ "issues": "write" })).refused(422, NOT_GRANTED);
    mint(json!({ "contents": "admin" })).refused(422, NOT_GRANTED);
    mint(json!({ "contents": "everything" })).refused(422, NOT_GRANTED);
    mint(json!({ "workflows": "write" })).refused(422, NOT_GRANTED);
    mint(json!({ "organization-projects": "read" })).refused(422, NOT_GRANTED);
    assert_eq!(mint(json!({ "organization_projects": "write" })).status, 201);
    scene.github.grant(scene.installation, &[("issues", "write")]);
    assert_eq!(mint(json!({ "issues": "write" })).status, 201);
}

#[test]
fn a_malformed_request_is_a_bad_request() {
    let scene = Scene::new();
    let mint = |body: &str| scene.client.mint_raw(&scene.app, scene.installation, body);
    mint("{").refused(400, "Problems parsing JSON");
    mint("[]").refused(400, "Body should be a JSON object");
    mint(r#"{"repositories":"web"}"#).refused(422, "Invalid request.");
}

#[test]
fn suspended_deleted_and_foreign_installations_mint_nothing() {
    let scene = Scene::new();
    let mint = |installation| scene.client.mint_raw(&scene.app, installation, "");
    scene.github.suspend(scene.installation);
    let reply = mint(scene.installation);
    reply.refused(403, "This installation has been suspended");
    assert_eq!(reply.json["status"], "403");
    scene.github.uninstall(scene.installation);
    mint(scene.installation).refused(404, "Not Found");

    let other = scene.github.create_app("Other", "acme");
    let foreign = scene.github.install(&other, "acme", Selection::All, &[]);
    mint(foreign).refused(404, "Not Found");
    let authorization = bearer(&other);
    assert_eq!(scene.client.get("/users/acme/installation", &authorization).status, 200);
}

#[test]
fn tokens_have_the_short_or_the_long_shape() {
    let scene = Scene::new();
    let long = scene.token();
    assert_eq!(long.len(), 520);
    assert!(long.starts_with(&format!("ghs_{}_", scene.app.app_id)));
    assert_eq!(long.matches('.').count(), 2);
    assert!(long.contains('-'));

    scene.github.token_shape(TokenShape::Short);
    let short = scene.token();
    assert_eq!(short.len(), 40);
    assert!(short["ghs_".len()..].chars().all(|c| c.is_ascii_alphanumeric()), "{short}");
}
