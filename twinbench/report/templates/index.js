
// The runs of one plan.
const runs = document.getElementById("runs");
const rows = runs ? [...runs.tBodies[0].rows] : [];
const plans = [...new Set(rows.map((row) => row.cells[1].textContent))].sort();
if (plans.length > 1) {
  const label = document.createElement("label");
  const choice = document.createElement("select");
  choice.append(new Option("all", ""), ...plans.filter(Boolean).map((plan) => new Option(plan)));
  choice.addEventListener("change", () => {
    for (const row of rows) {
      row.hidden = choice.value !== "" && row.cells[1].textContent !== choice.value;
    }
  });
  label.append("Plan: ", choice);
  runs.closest(".wide").before(label);
}
