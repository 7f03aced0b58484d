"""The lab: controls, cached runs, batches, dashboards and reports for any parameter set, function and drawing."""
