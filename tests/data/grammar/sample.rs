//! Shapes, for the grammar.
#![allow(dead_code)]

use std::{collections::HashMap, fmt::{self, Display}};

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape<'a> {
    Circle { radius: f64 },
    Square(f64),
    Named(&'a str, Box<Shape<'a>>),
    Empty,
}

pub trait Area: Display + Send {
    const UNIT: &'static str = "m²";
    type Output;
    fn area(&self) -> Self::Output;
    fn twice(&self) -> f64 where Self::Output: Into<f64> { 2.0 * self.area().into() }
}

impl<'a> Area for Shape<'a> {
    type Output = f64;
    fn area(&self) -> f64 {
        match self {
            Shape::Circle { radius: r @ 0.0..=9.5 } if *r > 1.0 => std::f64::consts::PI * r.powi(2),
            Shape::Circle { .. } | Shape::Empty => 0.0,
            Shape::Square(side) => side * side,
            Shape::Named(_, inner) => inner.area(),
        }
    }
}

impl fmt::Display for Shape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self, r#"raw "string""#)
    }
}

macro_rules! maximum {
    ($x:expr) => { $x };
    ($x:expr, $($rest:expr),+ $(,)?) => {{ let a = $x; let b = maximum!($($rest),+); if a > b { a } else { b } }};
}

pub async fn load<T: Default, const N: usize>(names: &[&str; N]) -> Result<HashMap<String, T>, Box<dyn std::error::Error>> {
    let mut found = HashMap::<String, T>::with_capacity(N);
    'outer: for (i, name) in names.iter().enumerate().filter(|(i, _)| i & 1 == 0) {
        loop {
            if name.is_empty() { continue 'outer; }
            break;
        }
        found.insert(name.to_string(), T::default());
        let _ = i as u8 as char;
    }
    let Some(first) = names.first() else { return Err("none".into()) };
    while let Some(_x) = found.remove(*first) {}
    let closure = move |a: i32| -> i32 { a << 2 | 0xff_i32 & !1 };
    unsafe { *(&closure as *const _ as *mut u8) = b'\n'; }
    tokio::time::sleep(d).await?;
    Ok(found)
}

pub(crate) static mut COUNTER: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn works() { assert_eq!(maximum!(1, 2, 3), 3, "max of {}", 'c'); }
}
