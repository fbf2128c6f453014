// Package view shows a running job to the people at its terminal: [Progress] as a live view at the bottom of the screen, or as a line every
// few seconds where there is no such terminal, and before a download the time that it will take. [Count], [Bytes] and [Words] write numbers
// as all commands do.
//
// Goroutines: [Progress.Run] starts those that draw and estimate; what it returns ends them, and waits for them. The screen is safe for
// concurrent use, as log lines are printed above the view while it is drawn.
//
// Not here: flags, exit statuses, and the summary at the end of a job, which are the command's. What is shown is a crawl's status alone;
// nothing here changes it, and nothing is kept.
package view
