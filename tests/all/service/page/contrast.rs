//! Whether texts can be read before what is behind them.

use serde_json::Value;

use super::browser::Browser;

/// Texts whose colour is too near to what is behind them (WCAG 2.2, 1.4.3).
pub async fn low_contrast(browser: &Browser) -> Value {
    let script = r"
        const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
        const light = (colour) => {
            const [red, green, blue] = numbers(colour).map((value) => {
                const part = value / 255;
                return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const behind = (element) => {
            for (let at = element; at; at = at.parentElement) {
                const colour = getComputedStyle(at).backgroundColor;
                if (numbers(colour)[3] !== 0) return colour;
            }
            return 'rgb(255, 255, 255)';
        };
        const found = [];
        for (const element of document.querySelectorAll('body *')) {
            const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!own || !element.checkVisibility()) continue;
            const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
            const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            if (contrast < 4.5) found.push([element.textContent, contrast]);
        }
        return found;";
    browser.page.execute(script, Vec::new()).await.unwrap().json().clone()
}
