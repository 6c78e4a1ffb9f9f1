//! What is wrong with a form, beside the field where it is.

use http_api::problem::Problem;

use crate::failure::Failure;

/// What is wrong with a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormErrors {
    /// What is wrong with no field alone.
    pub(crate) general: Option<String>,
    fields: Vec<(String, String)>,
}

impl FormErrors {
    /// An error of no field alone.
    pub(crate) fn whole(detail: impl Into<String>) -> Self {
        Self {
            general: Some(detail.into()),
            fields: Vec::new(),
        }
    }

    /// An error of one field.
    pub(crate) fn of(field: &str, detail: impl Into<String>) -> Self {
        Self::default().and(field, detail)
    }

    /// One more.
    #[must_use]
    pub(crate) fn and(mut self, field: &str, detail: impl Into<String>) -> Self {
        self.fields.push((field.to_owned(), detail.into()));
        self
    }

    /// The problem as the form's own, if the person can do something about it. `fields` says which field stands for which
    /// JSON pointer of the problem; a pointer below one belongs to it, and what belongs to none is told above the form.
    pub(crate) fn of_problem(problem: Problem, fields: &[(&str, &str)]) -> Result<Self, Failure> {
        let status = problem.status();
        let of_input = matches!(status.as_u16(), 403 | 409 | 422 | 429);
        if !of_input {
            return Err(Failure::from(problem));
        }
        let mut errors = Self::default();
        for fault in problem.fields() {
            let place = fields.iter().find(|(pointer, _)| {
                let rest = fault.pointer.strip_prefix(pointer);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            match place {
                Some((_, field)) => errors
                    .fields
                    .push(((*field).to_owned(), fault.detail.clone())),
                None => errors.add_general(&fault.detail),
            }
        }
        if errors.fields.is_empty() && errors.general.is_none() {
            errors.general = Some(problem.body("").detail);
        }
        Ok(errors)
    }

    /// The value, or else what is wrong with its field.
    pub(crate) fn take<T>(&mut self, field: &str, value: Result<T, String>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(detail) => {
                self.fields.push((field.to_owned(), detail));
                None
            }
        }
    }

    fn add_general(&mut self, detail: &str) {
        match &mut self.general {
            Some(text) => {
                text.push(' ');
                text.push_str(detail);
            }
            None => self.general = Some(detail.to_owned()),
        }
    }

    /// Is nothing wrong?
    pub(crate) fn is_empty(&self) -> bool {
        self.general.is_none() && self.fields.is_empty()
    }

    /// Is anything?
    pub(crate) fn any(&self) -> bool {
        !self.is_empty()
    }

    /// What is wrong with this field, as one text; empty when nothing is.
    pub(crate) fn on(&self, field: &str) -> String {
        let of_field = self.fields.iter().filter(|(name, _)| name == field);
        let details: Vec<&str> = of_field.map(|(_, detail)| detail.as_str()).collect();
        details.join(" ")
    }
}
