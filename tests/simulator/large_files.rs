//! git-lfs's batch API takes the credentials that git's requests take, and its store holds what its names say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghapp_tests::github::Selection;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Reply, Scene};

/// The SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn scene() -> Scene {
    Scene::with(Selection::All, &[("contents", "write")])
}

/// `Authorization` with a new token for `acme/web`.
fn token(scene: &Scene, contents: &str) -> String {
    let body = json!({"repositories": ["web"], "permissions": {"contents": contents}});
    let reply = scene.client.mint(&scene.app, scene.installation, &body);
    let token = reply.json["token"].as_str().expect("the mint succeeds");
    format!("Basic {}", STANDARD.encode(format!("x-access-token:{token}")))
}

fn batch(scene: &Scene, repository: &str, operation: &str, authorization: &str) -> Reply {
    let path = format!("/../../{repository}.git/info/lfs/objects/batch");
    let body = json!({"operation": operation, "objects": [{"oid": HELLO, "size": 5}]}).to_string();
    scene.client.try_call(Method::POST, &path, &[("authorization", authorization)], &body).expect("it answers")
}

/// Uses an address of the store, without any credential.
fn store(scene: &Scene, method: Method, action: &Value, content: &str) -> Reply {
    let href = action["href"].as_str().expect("an action has an address");
    let (_, path) = href.split_once(scene.github.host()).expect("the store is at this host");
    scene.client.try_call(method, &format!("/../..{path}"), &[], content).expect("it answers")
}

#[test]
fn a_batch_needs_a_live_token_for_the_repository_and_the_operation() {
    let scene = scene();
    for authorization in ["Basic eDp5", "Bearer ghs_nothing"] {
        let refused = batch(&scene, "acme/web", "download", authorization);
        assert_eq!((refused.status.as_u16(), refused.header("lfs-authenticate")), (401, "Basic realm=\"GitHub\""));
        assert_eq!(refused.header("content-type"), "application/vnd.git-lfs+json");
    }
    let (reading, writing) = (token(&scene, "read"), token(&scene, "write"));
    assert_eq!(batch(&scene, "acme/web", "download", &reading).status, 200);
    assert_eq!(batch(&scene, "acme/web", "upload", &writing).status, 200);
    assert_eq!(batch(&scene, "acme/web", "upload", &reading).status, 403);
    assert_eq!(batch(&scene, "acme/api", "download", &writing).status, 404);
    assert_eq!(batch(&scene, "acme/web", "delete", &writing).status, 422);
}

#[test]
fn the_store_takes_an_object_under_its_own_name_only_and_gives_it_back() {
    let scene = scene();
    let authorization = token(&scene, "write");
    let object = |operation| batch(&scene, "acme/web", operation, &authorization).json["objects"][0].clone();
    assert_eq!(object("download")["error"]["code"], 404);
    let upload = object("upload")["actions"]["upload"].clone();
    assert_eq!(store(&scene, Method::PUT, &upload, "something else").status, 422);
    assert_eq!(store(&scene, Method::GET, &upload, "").status, 403, "the address is for an upload");
    assert_eq!(store(&scene, Method::PUT, &upload, "hello").status, 200);
    assert_eq!(object("upload").get("actions"), None, "it is there already");
    let download = object("download")["actions"]["download"].clone();
    assert_eq!(store(&scene, Method::GET, &download, "").json, "hello");
    assert_eq!(store(&scene, Method::PUT, &download, "hello").status, 403, "the address is for a download");
}
