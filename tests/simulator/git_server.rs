//! Real git against the git server: Basic with a live token that covers the repository and the operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghapp_tests::Sandbox;
use ghapp_tests::github::{Endpoint, Fault, Selection, TokenShape};
use ghapp_tests::process::Output;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Scene, bearer};

/// A simulator and git in a sandbox that trusts it.
struct Front {
    scene: Scene,
    sandbox: Sandbox,
}

impl Front {
    fn new(permissions: &[(&str, &str)]) -> Front {
        let scene = Scene::with(Selection::All, permissions);
        let mut sandbox = Sandbox::new();
        sandbox.trust(&scene.github);
        Front { scene, sandbox }
    }

    fn mint(&self, body: &Value) -> String {
        let reply = self.scene.client.mint(&self.scene.app, self.scene.installation, body);
        reply.json["token"].as_str().expect("the mint succeeds").to_owned()
    }

    /// Runs git with an `Authorization` header of the test's choice; git then asks no helper.
    fn git(&self, authorization: &str, directory: &str, arguments: &[&str]) -> Output {
        let header = format!("http.extraHeader=Authorization: {authorization}");
        let arguments = ["-c", header.as_str()].into_iter().chain(arguments.iter().copied());
        self.sandbox.git_in(directory, arguments)
    }

    fn clone(&self, authorization: &str, repository: &str) -> Output {
        let url = self.scene.github.clone_url(repository);
        self.git(authorization, ".", &["clone", "--quiet", &url])
    }
}

fn basic(user: &str, token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{token}")))
}

fn with_token(token: &str) -> String {
    basic("x-access-token", token)
}

#[test]
fn a_token_clones_commits_and_pushes() {
    let front = Front::new(&[("contents", "write")]);
    for (shape, file) in [(TokenShape::Long, "long.txt"), (TokenShape::Short, "short.txt")] {
        front.scene.github.token_shape(shape);
        let authorization = with_token(&front.mint(&json!({ "repositories": ["web"] })));
        let url = front.scene.github.clone_url("ACME/Web");
        front.git(&authorization, ".", &["clone", "--quiet", &url, file]).ok();
        front.sandbox.commit(file, file, "content");
        front.git(&authorization, file, &["push", "--quiet", "origin", "main"]).ok();
        let pushed = front.sandbox.git_in(file, ["rev-parse", "HEAD"]).ok().stdout();
        let head = front.scene.github.head("acme/web", "main");
        assert_eq!(head.as_deref(), Some(pushed.trim()));
    }
    let calls = front.scene.github.calls();
    assert_eq!(calls.of(Endpoint::GitInfoRefs), 4);
    assert_eq!(calls.of(Endpoint::GitReceivePack), 2);
    assert!(calls.of(Endpoint::GitUploadPack) >= 2);
    assert_eq!(calls.git() + 2, calls.len());
}

#[test]
fn a_helper_is_asked_after_a_401_and_its_credential_is_approved() {
    let front = Front::new(&[("contents", "read")]);
    let token = front.mint(&json!({}));
    let log = front.sandbox.path("helper.log");
    // The helper writes down what git tells it, and answers with the token.
    let helper = format!(
        "!f() {{ echo \"$1\" >>{log}; cat >>{log}; test $1 = get || exit 0; \
         echo username=x-access-token; echo password={token}; }}; f",
        log = log.display()
    );
    front.sandbox.git(["config", "--global", "credential.helper", &helper]).ok();
    let url = front.scene.github.clone_url("acme/web");
    front.sandbox.git(["clone", "--quiet", &url, "first"]).ok();
    let told = std::fs::read_to_string(&log).unwrap();
    // git passes the challenge on to helpers since 2.41 only; the header itself is checked below.
    assert!(!told.contains("wwwauth[]") || told.contains("wwwauth[]=Basic realm=\"GitHub\""), "{told}");
    let operations = |told: &str| {
        let known = ["get", "store", "erase"];
        let lines = told.lines().filter(|line| known.contains(line)).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    assert_eq!(operations(&told), ["get", "store"]);

    front.scene.github.revoke_token(&token);
    let refused = front.sandbox.git(["clone", "--quiet", &url, "second"]);
    refused
        .failed()
        .stderr_contains(
            "remote: Invalid username or token. Password authentication is not supported for Git operations.",
        )
        .stderr_contains("Authentication failed");
    let told = std::fs::read_to_string(&log).unwrap();
    assert_eq!(operations(&told), ["get", "store", "get", "erase"]);
}

#[test]
fn a_private_repository_needs_a_credential() {
    let front = Front::new(&[("contents", "write")]);
    for repository in ["acme/web", "acme/nothing"] {
        let url = front.scene.github.clone_url(repository);
        let refused = front.sandbox.git(["ls-remote", &url]);
        refused.failed().stderr_contains("could not read Username");
    }
    let answer =
        front.scene.client.try_call(Method::GET, "/../../acme/web/info/refs?service=git-upload-pack", &[], "").unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"GitHub\"");
}

#[test]
fn only_basic_with_the_right_user_is_accepted() {
    let front = Front::new(&[("contents", "write")]);
    let token = front.mint(&json!({}));
    for authorization in [
        format!("Bearer {token}"),
        format!("token {token}"),
        basic("git", &token),
        basic("x-access-token", "ghs_nothing"),
        basic(&token, "x-oauth-basic"),
        bearer(&front.scene.app),
    ] {
        // git then asks for another user name, which the sandbox prevents.
        let refused = front.clone(&authorization, "acme/web");
        refused.failed().stderr_contains("could not read Username");
        let status = front.scene.github.calls().iter().last().and_then(|call| call.status);
        assert_eq!(status, Some(StatusCode::UNAUTHORIZED), "{authorization}");
    }
    front.clone(&with_token(&token), "acme/web").ok();
}

#[test]
fn a_repository_outside_of_the_token_is_not_found() {
    let front = Front::new(&[("contents", "write")]);
    let authorization = with_token(&front.mint(&json!({ "repositories": ["web"] })));
    front.scene.github.create_repository("globex/web");
    for repository in ["acme/api", "globex/web", "acme/nothing"] {
        let refused = front.clone(&authorization, repository);
        refused.failed().stderr_contains("remote: Repository not found.");
    }
}

#[test]
fn a_push_needs_contents_write() {
    let front = Front::new(&[("contents", "write")]);
    let read_only = with_token(&front.mint(&json!({ "permissions": { "contents": "read" } })));
    front.clone(&read_only, "acme/web").ok();
    front.sandbox.commit("web", "file", "content");
    let refused = front.git(&read_only, "web", &["push", "--quiet"]);
    refused
        .failed()
        .stderr_contains("remote: Permission to acme/web.git denied to build-bot[bot].")
        .stderr_contains("403");

    let writing = with_token(&front.mint(&json!({})));
    front.scene.github.grant(front.scene.installation, &[("contents", "read")]);
    front.git(&writing, "web", &["push", "--quiet"]).failed().stderr_contains("403");
    front.scene.github.grant(front.scene.installation, &[("contents", "write")]);
    front.git(&writing, "web", &["push", "--quiet"]).ok();
}

#[test]
fn a_fetch_needs_contents_read() {
    let front = Front::new(&[("issues", "write")]);
    let refused = front.clone(&with_token(&front.mint(&json!({}))), "acme/web");
    refused.failed().stderr_contains("Permission to acme/web.git denied to build-bot[bot].");
}

#[test]
fn a_workflow_needs_workflows_write() {
    let front = Front::new(&[("contents", "write"), ("workflows", "write")]);
    let contents = with_token(&front.mint(&json!({ "permissions": { "contents": "write" } })));
    front.clone(&contents, "acme/web").ok();
    front.sandbox.commit("web", ".github/workflows/ci.yml", "on: push");
    front.git(&contents, "web", &["push", "--quiet"]).failed().stderr_contains("without `workflows` permission");
    let both = with_token(&front.mint(&json!({})));
    front.git(&both, "web", &["push", "--quiet"]).ok();
    // Only what a push brings counts: the workflow is there now.
    front.sandbox.commit("web", "README.md", "text");
    front.git(&contents, "web", &["push", "--quiet"]).ok();
}

#[test]
fn a_public_repository_is_read_by_everybody() {
    let front = Front::new(&[("contents", "write")]);
    front.scene.github.create_public_repository("globex/open");
    let url = front.scene.github.clone_url("globex/open");
    front.sandbox.git(["clone", "--quiet", &url]).ok();
    front.sandbox.commit("open", "file", "content");
    front.sandbox.git_in("open", ["push", "--quiet"]).failed();
    let token = with_token(&front.mint(&json!({})));
    front
        .git(&token, "open", &["push", "--quiet"])
        .failed()
        .stderr_contains("Permission to globex/open.git denied to build-bot[bot].");
}

#[test]
fn a_former_name_goes_on_serving() {
    let front = Front::new(&[("contents", "write")]);
    let authorization = with_token(&front.mint(&json!({ "repositories": ["web"] })));
    front.scene.github.rename_repository("acme/web", "acme/site");
    front.clone(&authorization, "acme/web").ok();
    front.clone(&authorization, "acme/site").ok();
}

#[test]
fn a_push_larger_than_gits_buffer_arrives() {
    let front = Front::new(&[("contents", "write")]);
    let authorization = with_token(&front.mint(&json!({})));
    front.clone(&authorization, "acme/web").ok();
    // Above http.postBuffer (1 MiB) git sends the pack in chunks, after a probe.
    let numbers: Vec<String> = (0..400_000_u64).map(|n| (n * n * 7919).to_string()).collect();
    let noise = numbers.concat();
    front.sandbox.commit("web", "noise", &noise);
    front.git(&authorization, "web", &["push", "--quiet"]).ok();
    assert!(front.scene.github.calls().of(Endpoint::GitReceivePack) >= 2);
    let url = front.scene.github.clone_url("acme/web");
    front.git(&authorization, ".", &["clone", "--quiet", &url, "again"]).ok();
    let arrived = std::fs::read_to_string(front.sandbox.work().join("again/noise")).unwrap();
    assert_eq!(arrived, noise);
}

#[test]
fn a_fresh_token_can_be_unknown_for_a_while() {
    let front = Front::new(&[("contents", "write")]);
    let authorization = with_token(&front.mint(&json!({})));
    front.scene.github.fault(Endpoint::GitInfoRefs, Fault::repository_not_found(), 1);
    front.clone(&authorization, "acme/web").failed().stderr_contains("Repository not found.");
    front.clone(&authorization, "acme/web").ok();
}
