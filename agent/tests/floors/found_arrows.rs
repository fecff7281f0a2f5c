//! Tests of the arrows: which imports and calls lead from one file to another, and which do not.

use crate::found::broken;
use crate::house::House;
use crate::structure::CIRCLES;

/// The files that `a.rs` uses. There are `t.rs` with the type `T`, `s.rs` with the type `S`, and `m.rs` with methods of both.
fn used(code: &str) -> Vec<String> {
    let sources = [
        ("helper/src/a.rs", code),
        (
            "helper/src/m.rs",
            "use crate::t::T; use crate::S; impl T { fn only_t(&self) {} fn both(&self) {} fn get(&self) {} } \
             impl<'a> crate::S<'a> { fn only_s(&self) {} }",
        ),
        ("helper/src/main.rs", "mod a;\nmod m;\nmod s;\nmod t;\npub use s::S;\nfn in_main() {}"),
        (
            "helper/src/s.rs",
            "use crate::t::T; pub struct S<'a> { t: &'a T, list: Vec<T> } pub fn made() -> T {} pub trait Promise { fn kept(&self); } \
             impl<'a> S<'a> { pub fn new() -> Self {} fn both(&self) {} pub fn t(&self) -> Option<&'a T> {} } \
             impl Promise for S<'_> { fn kept(&self) {} }",
        ),
        ("helper/src/t.rs", "pub struct T(u8);"),
    ];
    let sources = sources.map(|(file, code)| (file.to_owned(), code.to_owned()));
    let house = House::new(&sources);
    let file =
        |file: usize| house.workspace.sources[file].file.trim_start_matches("helper/src/").trim_end_matches(".rs");
    let used = house.arrows.iter().filter(|arrow| file(arrow.from) == "a" && !arrow.test);
    let mut used: Vec<_> = used.map(|arrow| file(arrow.to).to_owned()).collect();
    used.sort();
    used.dedup();
    used
}

#[test]
fn imports_and_paths_lead_where_the_thing_is() {
    for (code, files) in [
        ("use crate::t::T;", vec!["t"]),
        ("use super::t::{self, T as Other};", vec!["t"]),
        ("use crate::{S, t};", vec!["s", "t"]),
        ("use super::S;", vec!["s"]),
        ("use crate::in_main;", vec!["main"]),
        ("use git_credential_ghapp::t::*;", vec!["t"]),
        ("fn f() -> crate::t::T { super::in_main() }", vec!["main", "t"]),
        ("use std::fs; use t::T; fn f() { std::t::f(); self::g() }", vec![]),
        ("pub(in crate::t) fn f() {}", vec![]),
        ("mod inner { use super::super::t::T; fn f() { super::g() } }", vec!["t"]),
        (
            "#[cfg(test)]\nuse crate::t::T;\n#[cfg(test)] mod tests { use super::super::S; }\nuse crate::in_main;",
            vec!["main"],
        ),
        ("#[cfg(not(test))] use crate::t::T; #[cfg(any(test, unix))] use crate::S;", vec!["s", "t"]),
    ] {
        assert_eq!(used(code), files, "{code}");
    }
}

#[test]
fn calls_lead_where_the_method_is() {
    for (code, files) in [
        // By path.
        ("fn f() { crate::t::T::both() }", vec!["m", "t"]),
        ("use crate::S; fn f() { x.map(S::both) }", vec!["s"]),
        // By `self`, and by the type of a parameter, of a variable, of a field and of a result.
        ("impl crate::t::T { fn f(&self) { self.both() } }", vec!["m", "t"]),
        ("impl Clone for crate::t::T { fn f(&self) { self.both() } }", vec!["m", "t"]),
        ("fn f(t: &Arc<crate::t::T>) { t.clone().both() }", vec!["m", "t"]),
        ("fn f() { let mut t: crate::t::T = g(); t.both() }", vec!["m", "t"]),
        ("fn f() { g(|t: &crate::t::T| t.both()) }", vec!["m", "t"]),
        ("use crate::S; fn f(s: &S) { s.t.both() }", vec!["m", "s"]),
        ("use crate::S; fn f(s: &S) { s.list[0].both() }", vec!["m", "s"]),
        ("use crate::S; async fn f(s: &S) { s.t().await?.both() }", vec!["m", "s"]),
        ("use crate::S; fn f() { let s = S::new(); let t = s.t().unwrap(); t.both() }", vec!["m", "s"]),
        ("use crate::s; fn f() { s::made().both::<u8>() }", vec!["m", "s"]),
        ("struct A { t: crate::t::T } impl A { fn f(self) { self.t.get() } }", vec!["m", "t"]),
        ("struct A(u8, crate::t::T); impl A { fn f(self) { self.1.both() } }", vec!["m", "t"]),
        ("use crate::S; fn f(s: &S) { if let Some(t) = s.t() { t.both() } }", vec!["m", "s"]),
        ("use crate::S; fn f(s: &S) { let Some(t) = Some(Arc::clone(&s.t)) else { g() }; t.both() }", vec!["m", "s"]),
        // By the name, if it is clear.
        ("fn f() { g(|it| it.only_s()) }", vec!["m"]),
        ("fn f() { g(|it| it.both()) }", vec![]),
        ("fn f() { g(|it| it.get()) }", vec![]),
        ("fn f(it: &str) { it.only_s() }", vec![]),
        // A call through a trait does not say which type answers it. Tests are left out.
        ("fn f(it: &dyn Promise) { it.kept() } fn g() { h(|it| it.kept()) }", vec![]),
        ("#[cfg(test)] mod tests { fn f() { g(|it| it.only_s()) } }", vec![]),
    ] {
        assert_eq!(used(code), files, "{code}");
    }
}

#[test]
fn what_a_folder_hands_on_is_no_arrow_and_what_it_uses_is_one() {
    let config = "agent/src/config/mod.rs";
    let load = "agent/src/config/load.rs";
    for (sources, circles) in [
        // A file that only lists and re-exports uses nothing; a file that uses what it re-exports does.
        (vec![("agent/src/token/mod.rs", "mod t;\npub use t::T;"), ("agent/src/token/t.rs", "use super::S;")], 0),
        (vec![("agent/src/token/mod.rs", "pub use t::T;\ntype S = T;"), ("agent/src/token/t.rs", "use super::S;")], 1),
        (vec![("agent/src/token/mod.rs", "use t::T;"), ("agent/src/token/t.rs", "use super::S;")], 1),
        (
            vec![
                (config, "use load::load;"),
                (load, "use crate::clock;"),
                ("agent/src/clock.rs", "use crate::config::C;"),
            ],
            1,
        ),
        (vec![(config, ""), (load, "use super::A;"), ("agent/src/config/edit.rs", "use super::load;")], 0),
    ] {
        let sources: Vec<_> = sources.into_iter().chain([("agent/src/lib.rs", "")]).collect();
        assert_eq!(broken(&CIRCLES, &sources).len(), circles, "{sources:?}");
    }
}
