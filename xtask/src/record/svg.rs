//! A terminal session as an animated SVG: CSS keyframes only, no script and no font of its own, so that it moves inside
//! of an `<img>`. Without animation, or where the reader wants less motion, it shows the last frame.

use std::fmt::Write as _;
use std::time::Duration;

/// Something that appeared in the terminal.
pub enum Line {
    /// A command.
    Typed(String),
    /// A line of output, this long after the one before it, or after the command.
    Printed(String, Duration),
    /// The command was killed, this long after it was typed.
    Killed(Duration),
}

const COLUMNS: usize = 92;
/// The width of a character and the height of a line, in pixels. `textLength` holds every font to the width.
const CHARACTER: f64 = 8.0;
const HEIGHT: f64 = 20.0;
const MARGIN: f64 = 18.0;

/// Seconds per character typed, after a command's output, and at the end.
const KEY: f64 = 0.028;
const READ: f64 = 1.4;
const END: f64 = 5.0;

const STYLE: &str = "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d5dbe3;white-space:pre}\
     .p{fill:#7ee2a8}.k{fill:#ff8f87}.h{fill:#8b97a7}.c{fill:#11161d;opacity:0}\
     @media (prefers-reduced-motion:reduce){*{animation:none!important}}";

/// The whole picture.
pub fn draw(lines: &[Line]) -> String {
    let mut picture = Picture::default();
    for line in lines {
        picture.add(line);
    }
    picture.finish()
}

/// Lines so far, and the time at which the next begins.
#[derive(Default)]
struct Picture {
    shown: Vec<Shown>,
    seconds: f64,
    row: usize,
}

/// A line on the screen. `typed` is the seconds that typing it took; 0 where it appeared at once.
struct Shown {
    class: &'static str,
    text: String,
    row: usize,
    at: f64,
    typed: f64,
}

impl Picture {
    fn add(&mut self, line: &Line) {
        match line {
            Line::Typed(text) => {
                if self.row > 0 {
                    self.seconds += READ;
                    self.row += 1;
                }
                let typed = KEY * text.chars().count() as f64;
                self.push("", text.clone(), typed);
            }
            Line::Printed(text, after) => {
                self.seconds += after.as_secs_f64();
                self.push("", text.clone(), 0.0);
            }
            Line::Killed(after) => {
                self.seconds += after.as_secs_f64();
                self.push("k", "Killed".to_owned(), 0.0);
                if let Some(shown) = self.shown.last() {
                    let note = "         ← kill -9, from another terminal".to_owned();
                    let note = Shown { class: "h", text: note, typed: 0.0, ..*shown };
                    self.shown.push(note);
                }
            }
        }
    }

    fn push(&mut self, class: &'static str, text: String, typed: f64) {
        self.shown.push(Shown { class, text, row: self.row, at: self.seconds, typed });
        self.seconds += typed;
        self.row += 1;
    }

    fn finish(self) -> String {
        let total = self.seconds + END;
        let width = COLUMNS as f64 * CHARACTER + 2.0 * MARGIN;
        let height = self.row as f64 * HEIGHT + 2.0 * MARGIN;
        let (mut styles, mut body) = (STYLE.to_owned(), String::new());
        for (number, shown) in self.shown.iter().enumerate() {
            shown.write(number, total, &mut styles, &mut body);
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" aria-label=\"An export is killed, resumed by the same command, and verified\">\n\
             <style>{styles}</style>\n<clipPath id=\"w\"><rect width=\"{width}\" height=\"{height}\" rx=\"8\"/></clipPath>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#11161d\"/>\n<g clip-path=\"url(#w)\">\n{body}</g>\n\
             <rect x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"none\" stroke=\"#3a4452\"/>\n</svg>\n",
            width - 1.0,
            height - 1.0,
        )
    }
}

impl Shown {
    /// Its elements and their keyframes: a line appears at its time; a typed one from behind a cover that moves away.
    fn write(&self, number: usize, total: f64, styles: &mut String, body: &mut String) {
        let (x, top) = (MARGIN, MARGIN + self.row as f64 * HEIGHT);
        let base = top + 14.0;
        let percent = |seconds: f64| (seconds / total * 1e5).round() / 1e3;
        let at = percent(self.at);
        // Writing to a string can't fail.
        let _ = write!(
            styles,
            "@keyframes l{number}{{0%,{at}%{{opacity:0}}{}%,to{{opacity:1}}}}#l{number}{{animation:l{number} {total:.2}s step-end infinite}}",
            at + 0.001
        );
        let _ = write!(body, "<g id=\"l{number}\">");
        let indent = if self.typed > 0.0 {
            let _ = write!(body, "<text class=\"p\" x=\"{x}\" y=\"{base}\">$</text>");
            2.0 * CHARACTER
        } else {
            0.0
        };
        let text = self.text.trim_start();
        let x = x + indent + (self.text.chars().count() - text.chars().count()) as f64 * CHARACTER;
        let characters = text.chars().count();
        let wide = characters as f64 * CHARACTER;
        let _ = writeln!(
            body,
            "<text class=\"{}\" x=\"{x}\" y=\"{base}\" textLength=\"{wide}\">{}</text>",
            self.class,
            escaped(text)
        );
        if self.typed > 0.0 {
            let (from, to) = (at + 0.001, percent(self.at + self.typed));
            let _ = write!(
                styles,
                "@keyframes c{number}{{0%,{from}%{{opacity:1;transform:none;animation-timing-function:steps({characters})}}\
                 {to}%{{opacity:1;transform:translateX({wide}px)}}{}%,to{{opacity:0}}}}\
                 #c{number}{{animation:c{number} {total:.2}s step-end infinite}}",
                to + 0.001
            );
            let _ = writeln!(
                body,
                "<g id=\"c{number}\" class=\"c\"><rect x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{HEIGHT}\"/>\
                 <rect x=\"{x}\" y=\"{}\" width=\"{CHARACTER}\" height=\"16\" fill=\"#d5dbe3\"/></g>",
                wide + CHARACTER,
                top + 2.0
            );
        }
        let _ = writeln!(body, "</g>");
    }
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
