"use strict";
// What the page's controls do. Texts of others are only ever put in as text (textContent), never as markup.
(() => {
  const root = document.documentElement;
  root.classList.add("script");

  const make = (name, text = "", attributes = {}) => {
    const element = document.createElement(name);
    element.textContent = text;
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  // Theme: the system's, or one of two.
  document.getElementById("theme").addEventListener("change", (event) => {
    const theme = event.target.value;
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  });

  // The pictures of one model at a time.
  for (const models of document.querySelectorAll(".models")) {
    const choice = models.querySelector("select.model");
    if (!choice) continue;
    const show = () =>
      models.querySelectorAll(".of-model").forEach((part, place) => {
        part.hidden = place !== Number(choice.value);
      });
    choice.addEventListener("change", show);
    show();
  }

  // What is wider than its place can be reached, and so scrolled, by the keyboard; nothing else is a stop on the way.
  const reach = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll(".scroll").forEach((each) => reach.observe(each));

  // Tables in the order of a column; cells without a figure stay last.
  const sortTable = (table, head) => {
    const column = [...head.parentElement.children].indexOf(head);
    const ascending = head.getAttribute("aria-sort") === "descending" || (head.getAttribute("aria-sort") === "none" && !column);
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const sign = ascending ? 1 : -1;
    const value = (row) => (column ? row.children[column].dataset.value : row.children[0].textContent);
    const compare = (one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (column ? Number(a) - Number(b) : a.localeCompare(b, "en"));
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(compare));
  };
  for (const table of document.querySelectorAll(".sortable")) {
    for (const head of table.querySelectorAll(".names th")) {
      head.querySelector("button").addEventListener("click", () => sortTable(table, head));
    }
  }

  // Large tables: only their figures are on the page. A table is made when it is opened, and a picture says what is under
  // the pointer.
  const matrices = JSON.parse(document.getElementById("matrices")?.textContent ?? "{}");
  const percent = (value) => `${(100 * value).toFixed(1)}%`;
  const cell = (value, form) => (value === null ? "–" : form === "share" ? percent(value) : value.toFixed(3));
  for (const table of document.querySelectorAll("table[data-matrix]")) {
    const { columns, rows, form } = matrices[table.dataset.matrix];
    const details = table.closest("details");
    details.addEventListener("toggle", () => {
      if (!details.open || table.tBodies.length) return;
      const head = make("tr");
      columns.forEach((name, place) => head.append(make("th", name, { scope: "col", ...(place ? { class: "number" } : {}) })));
      table.createTHead().append(head);
      const body = table.createTBody();
      for (const [name, ...values] of rows) {
        const row = make("tr");
        row.append(make("th", name, { scope: "row" }), ...values.map((value) => make("td", cell(value, form), { class: "number" })));
        body.append(row);
      }
    });
  }
  for (const picture of document.querySelectorAll(".scroll[data-matrix]")) {
    const { columns, rows, form } = matrices[picture.dataset.matrix];
    const images = [...picture.querySelectorAll("image")];
    const readout = picture.parentElement.querySelector(".readout");
    picture.addEventListener("pointermove", (event) => {
      const places = images.map((image) => image.getBoundingClientRect());
      const place = places.sort((a, b) => b.width - a.width)[0]; // the other one is the scale
      if (!place) return;
      const column = Math.floor(((event.clientX - place.left) / place.width) * (columns.length - 1));
      const row = Math.floor(((event.clientY - place.top) / place.height) * rows.length);
      if (!rows[row] || column < 0 || column >= columns.length - 1) return;
      readout.textContent = `Query ${rows[row][0]}, passages ${columns[column + 1]}: ${cell(rows[row][column + 1], form)}`;
    });
  }

  // Downloads: the figures of a table, unrounded.
  const figuresOf = (table) => {
    if (table.dataset.matrix) return matrices[table.dataset.matrix];
    const heads = [...table.tHead.rows].at(-1).cells;
    const names = [...heads].map((head) => head.dataset.name || head.textContent.trim());
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells]);
    const columns = names.flatMap((name, place) => {
      const number = (key) => (row) => (row[place].dataset[key] ? Number(row[place].dataset[key]) : null);
      if (!rows.some((row) => "value" in row[place].dataset)) return [[name, (row) => row[place].textContent]];
      const withMargins = rows.some((row) => row[place].dataset.margin);
      return [[name, number("value")], ...(withMargins ? [[`${name} ±`, number("margin")]] : [])];
    });
    return { columns: columns.map(([name]) => name), rows: rows.map((row) => columns.map(([, of]) => of(row))) };
  };
  const csvField = (value) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const plain = /^[=+\-@\t]/.test(value) ? `'${value}` : value; // a spreadsheet would take it for a formula
    return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  const toCsv = ({ columns, rows }) => [columns, ...rows].map((row) => row.map(csvField).join(",")).join("\n") + "\n";
  const toJson = ({ columns, rows }) =>
    JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((name, place) => [name, row[place]]))), null, 1) + "\n";
  const download = (name, type, text) => {
    const link = make("a", "", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  for (const button of document.querySelectorAll("button[data-table]")) {
    button.addEventListener("click", () => {
      const table = document.getElementById(button.dataset.table);
      const name = `${table.dataset.name}.${button.dataset.form}`;
      if (button.dataset.form === "csv") download(name, "text/csv;charset=utf-8", toCsv(figuresOf(table)));
      else download(name, "application/json", toJson(figuresOf(table)));
    });
  }

  // Questions one by one. A score is [average precision, rank distance, ranks by language].
  const orders = {
    far: (a, b) => [b[1] - a[1], a[0] - b[0]],
    near: (a, b) => [a[1] - b[1], b[0] - a[0]],
    low: (a, b) => [a[0] - b[0], b[1] - a[1]],
    high: (a, b) => [b[0] - a[0], a[1] - b[1]],
  };
  const whole = new Intl.NumberFormat("en");
  const told = (score) => (score ? `AP ${score[0].toFixed(3)} · distance ${whole.format(score[1])}` : "not asked");

  const firstQuestions = ({ questions, depth }, order, model, other) => {
    if (order in orders) {
      const asked = questions.filter((question) => question.scores[model]);
      const by = (a, b) => orders[order](a.scores[model], b.scores[model]).find((difference) => difference) || 0;
      return asked.sort(by).slice(0, depth);
    }
    const [better, than] = order === "better" ? [model, other] : [other, model];
    const gain = ({ scores }) => scores[better][0] - scores[than][0];
    const asked = questions.filter(({ scores }) => scores[better] && scores[than]);
    return asked.sort((a, b) => gain(b) - gain(a)).slice(0, depth);
  };

  const passageRow = (data, question, models, place) => {
    const language = data.languages[place];
    const texts = data.answers[question.group]?.[place] ?? [];
    const ranks = models.map((model) => question.scores[model]?.[2][place] ?? null);
    if (!texts.length && ranks.every((rank) => rank === null)) return null;
    const row = make("tr", "", language === question.language ? { class: "own" } : {});
    row.append(make("th", language, { scope: "row", class: "tag" }));
    for (const rank of ranks) row.append(make("td", rank === null ? "–" : whole.format(rank), { class: "number" }));
    const cell = make("td", "", { class: "text" });
    for (const text of texts) cell.append(make("bdi", text, { dir: "auto", lang: language }));
    row.append(cell);
    return row;
  };

  const answersTable = (data, question, shown) => {
    const models = shown.filter((model) => question.scores[model]?.[2].some((rank) => rank !== null)); // with ranks
    const table = make("table");
    const head = make("tr");
    head.append(make("th", "answer in", { scope: "col" }));
    for (const model of models) head.append(make("th", `rank: ${data.models[model]}`, { scope: "col", class: "number of-rank" }));
    head.append(make("th", "passage", { scope: "col" }));
    table.createTHead().append(head);
    const rows = data.languages.map((_, place) => passageRow(data, question, models, place));
    table.createTBody().append(...rows.filter((row) => row));
    const scroll = make("div", "", { class: "scroll", role: "region", "aria-label": "Answers" });
    scroll.append(table);
    reach.observe(scroll);
    return scroll;
  };

  const questionItem = (data, question, models) => {
    const summary = make("summary");
    summary.append(make("span", question.language, { class: "tag" }));
    const text = question.text
      ? make("span", question.text, { class: "text", dir: "auto", lang: question.language })
      : make("span", question.id, { class: "text id" });
    summary.append(text, make("span", models.map((model) => told(question.scores[model])).join(" | ")));
    const details = make("details");
    details.append(summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) {
        if (question.text) details.append(make("p", question.id, { class: "quiet id" }));
        details.append(answersTable(data, question, models));
      }
    });
    const item = make("li");
    item.append(details);
    return item;
  };

  const explorers = JSON.parse(document.getElementById("explorers").textContent);
  for (const explorer of document.querySelectorAll(".explorer")) {
    const data = explorers[explorer.dataset.part];
    const [of, order, beside] = ["of", "order", "beside"].map((name) => explorer.querySelector(`select.${name}`));
    const show = () => {
      const model = Number(of.value);
      const other = beside ? Number(beside.value) : model;
      const models = other === model ? [model] : [model, other];
      const found = firstQuestions(data, order.value, model, other);
      explorer.querySelector("ol").replaceChildren(...found.map((question) => questionItem(data, question, models)));
      const names = models.map((each) => data.models[each]).join(" | ");
      explorer.querySelector("[role=status]").textContent = `${found.length} questions. Figures: ${names}.`;
    };
    for (const control of [of, order, beside]) control?.addEventListener("change", show);
    show();
  }
})();
