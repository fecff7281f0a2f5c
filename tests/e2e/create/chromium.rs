//! The page in a real browser: Chromium, driven by the `WebDriver` protocol (<https://www.w3.org/TR/webdriver2/>).

use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::Selection;
use ghapp_tests::process::{DEADLINE, Running};
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const TOOLS: &[Tool] =
    &[Tool { program: "chromium", package: "chromium" }, Tool { program: "chromedriver", package: "chromium-driver" }];
/// The name of an element's id in the protocol's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless Chromium.
struct Window {
    runtime: Runtime,
    http: reqwest::Client,
    session: String,
    _driver: Running,
}

impl Window {
    fn open(desk: &Desk) -> Window {
        let driver = Running::spawn(desk.command("chromedriver").args(["--port=0"]));
        let line = driver.wait_for_line("started successfully on port ");
        let port = line.rsplit(' ').next().expect("it names its port").trim_end_matches('.');
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let http = reqwest::Client::builder().no_proxy().build().expect("it is configured correctly");
        let mut window = Window { runtime, http, session: format!("http://127.0.0.1:{port}"), _driver: driver };
        // Its own sandbox does not work for root; the simulator's CA is a throw-away that no system trusts.
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"];
        let session = window.call(
            &Method::POST,
            "/session",
            &json!({"capabilities": {"alwaysMatch": {
                "acceptInsecureCerts": true, "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        let id = session["sessionId"].as_str().expect("there is a session").to_owned();
        window.session = format!("{}/session/{id}", window.session);
        window
    }

    #[track_caller]
    fn call(&self, method: &Method, path: &str, body: &Value) -> Value {
        let reply = self.try_call(method, path, body);
        assert!(reply["value"].get("error").is_none(), "{path}: {reply}");
        reply["value"].clone()
    }

    fn try_call(&self, method: &Method, path: &str, body: &Value) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.session)).timeout(DEADLINE);
        if *method == Method::POST {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let text = self.runtime.block_on(async { request.send().await?.text().await }).expect("the driver answers");
        serde_json::from_str(&text).expect("the driver answers with JSON")
    }

    fn go(&self, url: &str) {
        self.call(&Method::POST, "/url", &json!({ "url": url }));
    }

    /// An element, once it is there.
    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let wanted = json!({"using": "css selector", "value": selector});
        eventually(&format!("the page has {selector}"), || {
            let reply = self.try_call(&Method::POST, "/element", &wanted);
            reply["value"][ELEMENT].as_str().map(str::to_owned).ok_or(reply)
        })
    }

    fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.call(&Method::POST, &format!("/element/{element}/click"), &json!({}));
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        eventually(&format!("the page shows {text:?}"), || {
            let body = self.element("body");
            let shown = self.try_call(&Method::GET, &format!("/element/{body}/text"), &json!(null));
            if shown["value"].as_str().is_some_and(|shown| shown.contains(text)) { Ok(()) } else { Err(shown) }
        });
    }

    /// The value that a style has for an element.
    fn style(&self, selector: &str, property: &str) -> Value {
        let element = self.element(selector);
        self.call(&Method::GET, &format!("/element/{element}/css/{property}"), &json!(null))
    }

    /// The page's complaints, about refused content for instance.
    fn complaints(&self) -> Vec<String> {
        let log = self.call(&Method::POST, "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("the log is a list").iter();
        let messages = entries.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned());
        // Every browser asks for a picture for its tab, and there is none.
        messages.filter(|message| !message.contains("favicon.ico")).collect()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Chromium is no child of ours: it has to be told to exit.
        let _ = self.try_call(&Method::DELETE, "", &json!(null));
    }
}

#[test]
fn a_person_with_a_browser_creates_an_app() {
    if !all_there(TOOLS) {
        return;
    }
    let desk = Desk::new();
    let (running, start) = super::open(&mut super::command(&desk, &["--org", "acme", "--name", "clicked"]));
    let window = Window::open(&desk);
    window.go(&start);
    window.shows("the organization acme");
    assert_eq!(
        window.style("button", "border-top-left-radius"),
        "8px",
        "the style is let through by the page's policy"
    );
    assert_eq!(window.complaints(), [""; 0]);
    window.click("#create");
    window.click("#confirm");
    window.shows("Return to your terminal");
    assert_eq!(window.complaints(), [""; 0]);
    running.wait_for_line("/installations/new");
    let app = desk.github.registered_apps().pop().expect("GitHub has registered one");
    desk.github.install(&app, "acme", Selection::All, GIT_PERMISSIONS);
    running.finish().ok();
    assert_eq!(desk.ghapp_json(["apps"])["apps"][0]["name"], "clicked");

    let (running, start) = super::open(&mut super::command(&desk, &[]));
    window.go(&start);
    window.click("#cancel");
    window.shows("Nothing was created");
    super::failed_with(running, "E53", 1);
}
