//! Charts of counts over time, as SVG: drawn twice, for a wide and a narrow window, and told as a table as well.

use askama::Template;
use askama::filters::HtmlSafe;
use key_admin::ActivityStep;

/// What the shapes of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A bar for each step.
    Bars,
    /// A line for what was issued, another for what was refused.
    Lines,
}

/// Tokens that were issued, and requests that were refused, over time.
#[derive(Debug, Template)]
#[template(path = "overview/chart.html")]
pub(super) struct Chart {
    id: &'static str,
    title: &'static str,
    description: String,
    drawings: Vec<Drawing>,
    rows: Vec<Row>,
}

/// Its template has escaped what is not ours.
impl HtmlSafe for Chart {}

/// The chart in one size. Whole units of the drawing, from its upper left corner.
#[derive(Debug, PartialEq, Eq)]
struct Drawing {
    class: &'static str,
    width: i64,
    height: i64,
    right: i64,
    bottom: i64,
    bars: Vec<Bar>,
    issued: String,
    area: String,
    refused: String,
    counts: Vec<Mark>,
    times: Vec<Mark>,
}

#[derive(Debug, PartialEq, Eq)]
struct Bar {
    x: i64,
    width: i64,
    issued: (i64, i64),
    refused: (i64, i64),
    label: String,
}

/// A mark of an axis.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    at: i64,
    text: String,
}

#[derive(Debug)]
struct Row {
    from: String,
    issued: String,
    refused: String,
}

const LEFT: i64 = 46;
const TOP: i64 = 10;
const UNDER: i64 = 24;
const MARKS: i64 = 4;

/// Width, height, and the least distance of two marks of the time, in minutes for a chart of an hour.
const SIZES: [(&str, i64, i64, i64); 2] =
    [("chart-wide", 480, 220, 10), ("chart-narrow", 290, 200, 20)];

impl Chart {
    /// Of a series that has at least one step. `hours` is how long it is.
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        shape: Shape,
        steps: &[ActivityStep],
        hours: i64,
    ) -> Self {
        let scale = Scale::of(steps);
        let drawings = SIZES.iter().map(|(class, width, height, every)| {
            let frame = Frame {
                right: width - 8,
                bottom: height - UNDER,
                steps: i64::try_from(steps.len()).unwrap_or(1).max(1),
                top: scale.top,
            };
            Drawing {
                class,
                width: *width,
                height: *height,
                right: frame.right,
                bottom: frame.bottom,
                bars: if shape == Shape::Bars {
                    frame.bars(steps)
                } else {
                    Vec::new()
                },
                issued: line(shape, &frame, steps, |step| step.issued),
                area: area(shape, &frame, steps),
                refused: line(shape, &frame, steps, |step| step.refused),
                counts: scale.marks(&frame),
                times: frame.times(steps, every * hours * 60),
            }
        });
        Self {
            id,
            title,
            description: description(steps),
            drawings: drawings.collect(),
            rows: steps.iter().rev().map(Row::of).collect(),
        }
    }
}

/// The axis of the counts: four marks at round numbers.
struct Scale {
    top: i64,
}

impl Scale {
    fn of(steps: &[ActivityStep]) -> Self {
        let most = steps.iter().map(|it| it.issued + it.refused).max();
        let most = most.unwrap_or(0).max(1);
        let mut unit = 1;
        loop {
            for step in [unit, 2 * unit, 5 * unit] {
                if step * MARKS >= most {
                    return Self { top: step * MARKS };
                }
            }
            unit *= 10;
        }
    }

    fn marks(&self, frame: &Frame) -> Vec<Mark> {
        let marks = (0..=MARKS).map(|number| {
            let count = self.top / MARKS * number;
            Mark {
                at: frame.y(count),
                text: grouped(count),
            }
        });
        marks.collect()
    }
}

/// Where in a drawing things are.
struct Frame {
    right: i64,
    bottom: i64,
    steps: i64,
    top: i64,
}

impl Frame {
    /// The left edge of a step.
    fn x(&self, step: i64) -> i64 {
        LEFT + (self.right - LEFT) * step / self.steps
    }

    /// The middle of a step.
    fn middle(&self, step: i64) -> i64 {
        LEFT + (self.right - LEFT) * (2 * step + 1) / (2 * self.steps)
    }

    fn y(&self, count: i64) -> i64 {
        self.bottom - (self.bottom - TOP) * count / self.top
    }

    fn bars(&self, steps: &[ActivityStep]) -> Vec<Bar> {
        let bars = (0..).zip(steps).map(|(number, step)| {
            let (x, middle) = (self.x(number), self.y(step.issued));
            let top = self.y(step.issued + step.refused);
            Bar {
                x,
                width: (self.x(number + 1) - x - 1).max(1),
                issued: visible(middle, self.bottom, step.issued),
                refused: visible(top, middle, step.refused),
                label: format!(
                    "{} UTC: {} issued, {} refused",
                    hour_and_minute(step),
                    grouped(step.issued),
                    grouped(step.refused)
                ),
            }
        });
        bars.collect()
    }

    /// Marks at full multiples of so many seconds, with room around each.
    fn times(&self, steps: &[ActivityStep], every: i64) -> Vec<Mark> {
        let marks = (0..).zip(steps).filter_map(|(number, step)| {
            let at = self.middle(number);
            let fits = at >= LEFT + 12 && at <= self.right - 12;
            let is_full = step.from.unix_seconds().rem_euclid(every) == 0;
            (fits && is_full).then(|| Mark {
                at,
                text: hour_and_minute(step),
            })
        });
        marks.collect()
    }
}

/// The upper edge and the height of a part of a bar. What is not nothing can be seen.
fn visible(top: i64, bottom: i64, count: i64) -> (i64, i64) {
    if count > 0 && top == bottom {
        (bottom - 1, 1)
    } else {
        (top, bottom - top)
    }
}

fn line(
    shape: Shape,
    frame: &Frame,
    steps: &[ActivityStep],
    count: impl Fn(&ActivityStep) -> i64,
) -> String {
    if shape == Shape::Bars {
        return String::new();
    }
    let points = (0..)
        .zip(steps)
        .map(|(number, step)| format!("{},{}", frame.middle(number), frame.y(count(step))));
    points.collect::<Vec<_>>().join(" ")
}

/// What is below the line of what was issued.
fn area(shape: Shape, frame: &Frame, steps: &[ActivityStep]) -> String {
    if shape == Shape::Bars {
        return String::new();
    }
    let (first, last) = (frame.middle(0), frame.middle(frame.steps - 1));
    let line = line(shape, frame, steps, |step| step.issued);
    format!("{first},{} {line} {last},{}", frame.bottom, frame.bottom)
}

fn description(steps: &[ActivityStep]) -> String {
    let issued: i64 = steps.iter().map(|it| it.issued).sum();
    let refused: i64 = steps.iter().map(|it| it.refused).sum();
    let most = steps.iter().max_by_key(|it| it.issued);
    let most = most.filter(|step| step.issued > 0).map(|step| {
        let (count, at) = (grouped(step.issued), hour_and_minute(step));
        format!(" Most were issued at {at} UTC: {count}.")
    });
    format!(
        "{} tokens issued, {} requests refused.{}",
        grouped(issued),
        grouped(refused),
        most.unwrap_or_default()
    )
}

impl Row {
    fn of(step: &ActivityStep) -> Self {
        Self {
            from: hour_and_minute(step),
            issued: grouped(step.issued),
            refused: grouped(step.refused),
        }
    }
}

fn hour_and_minute(step: &ActivityStep) -> String {
    let text = step.from.to_string();
    text.get(11..16).unwrap_or(&text).to_owned()
}

/// A count as people read it: 12,345.
pub(super) fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use storage::Timestamp;

    use super::*;

    fn steps(counts: &[(i64, i64)]) -> Vec<ActivityStep> {
        let steps = (0..)
            .zip(counts)
            .map(|(minute, (issued, refused))| ActivityStep {
                from: Timestamp::from_unix_seconds(1_767_225_600 + 60 * minute),
                issued: *issued,
                refused: *refused,
            });
        steps.collect()
    }

    #[test]
    fn axes_end_at_round_numbers_above_the_greatest_count() {
        for (most, top) in [
            (0, 4),
            (1, 4),
            (4, 4),
            (5, 8),
            (9, 20),
            (21, 40),
            (41, 80),
            (999, 2_000),
        ] {
            assert_eq!(Scale::of(&steps(&[(most, 0)])).top, top, "{most}");
        }
        assert_eq!(
            Scale::of(&steps(&[(3, 3)])).top,
            8,
            "a bar is as high as both"
        );
    }

    #[test]
    fn bars_stand_on_the_axis_side_by_side_and_the_least_is_seen() {
        let steps = steps(&[(1_000, 0), (0, 0), (1, 1)]);
        let chart = Chart::new("hour", "An hour", Shape::Bars, &steps, 1);
        for drawing in &chart.drawings {
            let [first, none, least] = &drawing.bars[..] else {
                panic!("three bars")
            };
            assert_eq!(first.issued.0 + first.issued.1, drawing.bottom);
            assert_eq!((none.issued.1, none.refused.1), (0, 0));
            assert_eq!((least.issued.1, least.refused.1), (1, 1));
            assert!(first.x + first.width < none.x && none.x + none.width < least.x);
            assert!(least.x + least.width <= drawing.right);
            assert_eq!(least.label, "00:02 UTC: 1 issued, 1 refused");
        }
        assert_eq!(
            chart.description,
            "1,001 tokens issued, 1 requests refused. Most were issued at 00:00 UTC: 1,000."
        );
    }

    #[test]
    fn lines_have_a_point_for_each_step() {
        let steps = steps(&[(0, 4), (4, 0)]);
        let chart = Chart::new("day", "A day", Shape::Lines, &steps, 24);
        let wide = &chart.drawings[0];
        assert_eq!(wide.issued, "152,196 365,10");
        assert_eq!(wide.refused, "152,10 365,196");
        assert_eq!(wide.area, "152,196 152,196 365,10 365,196");
        assert!(wide.bars.is_empty());
    }

    #[test]
    fn a_chart_tells_itself_to_who_does_not_see_it() {
        let chart = Chart::new("hour", "An hour", Shape::Bars, &steps(&[(2, 1)]), 1);
        let html = chart.render().unwrap();
        for part in [
            "role=\"img\"",
            "<title",
            "<desc",
            "2 tokens issued, 1 requests refused",
            "<td class=\"number\">2</td>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn counts_are_grouped() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
