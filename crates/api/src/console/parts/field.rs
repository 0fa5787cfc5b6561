//! Fields of forms: a label, what is expected, the control, and what is wrong with it right beside it.

use maud::{Markup, html};

use super::prose::{prose, sentence};
use crate::problem::FieldProblem;

/// A field of a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// Its name, which is also its id.
    pub(crate) name: &'a str,
    /// What a person calls it.
    pub(crate) label: &'a str,
    /// What is expected; may be empty.
    pub(crate) hint: &'a str,
    /// What is wrong with the form; what concerns this field is shown with it.
    pub(crate) errors: &'a [FieldProblem],
}

/// A line to type into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// `text`, `url`, `password` or the like.
    pub(crate) kind: &'a str,
    /// What is in it.
    pub(crate) value: &'a str,
    /// An example.
    pub(crate) placeholder: &'a str,
    /// Whether it must not be empty.
    pub(crate) required: bool,
}

/// One of several things to choose.
#[derive(Debug, Clone)]
pub(crate) struct Choice<'a> {
    /// What is sent.
    pub(crate) value: &'a str,
    /// What it is called.
    pub(crate) label: Markup,
    /// What it means; may be empty.
    pub(crate) hint: &'a str,
    /// Whether it is chosen.
    pub(crate) chosen: bool,
}

impl Field<'_> {
    /// What is wrong with it, or with a part of it such as `events[0]`.
    fn wrong(&self) -> impl Iterator<Item = &FieldProblem> {
        self.errors.iter().filter(|error| error.field().split('[').next() == Some(self.name))
    }

    /// What the control is described by.
    pub(crate) fn described_by(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.wrong().next().map(|_| format!("{}-error", self.name));
        let ids: Vec<String> = hint.into_iter().chain(error).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    /// Whether anything is wrong with it.
    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong().next().is_some()
    }

    fn notes(&self) -> Markup {
        html! {
            @if !self.hint.is_empty() { p.hint id=(format!("{}-hint", self.name)) { (prose(self.hint)) } }
            @if self.is_wrong() {
                div.error id=(format!("{}-error", self.name)) {
                    @for error in self.wrong() { p { (prose(&sentence(error.message()))) } }
                }
            }
        }
    }
}

/// A field with one control, which has the field's name as its id.
pub(crate) fn field(field: &Field<'_>, control: &Markup) -> Markup {
    html! {
        div.field {
            label for=(field.name) { (field.label) }
            (field.notes())
            (control)
        }
    }
}

/// A field with a line to type into.
pub(crate) fn text_input(of: &Field<'_>, input: Input<'_>) -> Markup {
    field(
        of,
        &html! {
            input id=(of.name) name=(of.name) type=(input.kind) value=(input.value)
                placeholder=[(!input.placeholder.is_empty()).then_some(input.placeholder)]
                required[input.required] autocomplete="off" spellcheck="false" autocapitalize="off"
                aria-describedby=[of.described_by()] aria-invalid=[of.is_wrong().then_some("true")];
        },
    )
}

/// A field with a list to choose one thing from.
pub(crate) fn select(of: &Field<'_>, options: &[Choice<'_>]) -> Markup {
    field(
        of,
        &html! {
            select id=(of.name) name=(of.name)
                aria-describedby=[of.described_by()] aria-invalid=[of.is_wrong().then_some("true")] {
                @for option in options {
                    option value=(option.value) selected[option.chosen] { (option.label) }
                }
            }
        },
    )
}

/// A field of boxes to tick, or of which one is chosen.
///
/// * `kind`: `checkbox` or `radio`.
pub(crate) fn choices(of: &Field<'_>, kind: &str, options: &[Choice<'_>]) -> Markup {
    html! {
        fieldset.field id=(of.name) aria-describedby=[of.described_by()] tabindex="-1" {
            legend { (of.label) }
            (of.notes())
            @for (index, option) in options.iter().enumerate() {
                @let id = format!("{}-{index}", of.name);
                @let hint = format!("{id}-hint");
                div.choice {
                    input id=(id) name=(of.name) type=(kind) value=(option.value) checked[option.chosen]
                        aria-describedby=[(!option.hint.is_empty()).then_some(&hint)];
                    label for=(id) { (option.label) }
                    @if !option.hint.is_empty() { p.hint id=(hint) { (prose(option.hint)) } }
                }
            }
        }
    }
}

/// Says at the top of a form what is wrong with it, with a way to each field.
pub(crate) fn errors_summary(errors: &[FieldProblem]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.problem role="alert" {
                p { strong { "Nothing was saved." } " " (errors.len()) @if errors.len() == 1 { " field is" } @else { " fields are" } " wrong:" }
                ul {
                    @for error in errors {
                        @let name = error.field().split('[').next().unwrap_or_default();
                        li { a href=(format!("#{name}")) { (prose(&sentence(error.message()))) } }
                    }
                }
            }
        }
    }
}
