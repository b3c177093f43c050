// Copyright The Client Identity Operator Authors
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// gap is what stands between columns, as in kubectl's tables.
const gap = 3

// leastWidth is how narrow a column gets whose text is broken to fit a terminal.
const leastWidth = 24

// Cell is a text in a table, on one line. What others wrote is made harmless when it is printed.
type Cell struct {
	Text  string
	Style Style
}

// Cells returns cells without a style.
func Cells(texts ...string) []Cell {
	cells := make([]Cell, len(texts))
	for i, s := range texts {
		cells[i].Text = s
	}
	return cells
}

// Table prints rows under headings; without headings it prints the rows alone. On a terminal the last column is broken into lines
// where it does not fit.
func (p *Printer) Table(headings []string, rows [][]Cell) {
	if len(headings) > 0 {
		rows = append([][]Cell{Cells(headings...)}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i := range row {
			row[i].Text = clean(row[i].Text)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].Text))
		}
	}
	for _, row := range rows {
		p.row(row, widths)
	}
}

func (p *Printer) row(row []Cell, widths []int) {
	var line strings.Builder
	line.WriteString(strings.Repeat(" ", p.indent))
	indent := p.indent
	for i, cell := range row {
		if i == len(row)-1 {
			line.WriteString(p.last(cell, indent))
			break
		}
		line.WriteString(p.paint(cell.Style, cell.Text))
		line.WriteString(strings.Repeat(" ", widths[i]+gap-utf8.RuneCountInString(cell.Text)))
		indent += widths[i] + gap
	}
	fmt.Fprintln(p.out, strings.TrimRight(line.String(), " "))
}

// last returns the text of a last column, with lines after the first one indented.
func (p *Printer) last(cell Cell, indent int) string {
	lines := []string{cell.Text}
	if room := p.width - indent; p.width > 0 && room >= leastWidth {
		lines = wrap(cell.Text, room)
	}
	for i := range lines {
		lines[i] = p.paint(cell.Style, lines[i])
	}
	return strings.Join(lines, "\n"+strings.Repeat(" ", indent))
}

// wrap breaks a text between words into lines of that many characters. A word that is longer stays whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}
