// Stands in for the scripts that the original pages load: folds, and the filter that leaves only failures.
document.querySelectorAll('a[data-toggle="collapse"]').forEach(function (link) {
  link.addEventListener("click", function (event) {
    event.preventDefault();
    var body = document.getElementById((link.getAttribute("href") || "").slice(1));
    if (body) { link.setAttribute("aria-expanded", String(body.classList.toggle("show"))); }
  });
});
document.querySelectorAll(".btn-group label").forEach(function (label, position, labels) {
  label.addEventListener("click", function () {
    labels.forEach(function (other) { other.classList.toggle("active", other === label); });
    document.querySelectorAll(".hide-succeeded-validation-target-child").forEach(function (mark) {
      var row = mark.closest("tr");
      if (row) { row.hidden = position === 1; }
    });
    document.querySelectorAll(".hide-succeeded-validations-column-section-target-child").forEach(function (mark) {
      var section = mark.closest(".ge-section");
      if (section) { section.hidden = position === 1; }
    });
  });
});
