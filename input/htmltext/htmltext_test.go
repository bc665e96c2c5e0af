package htmltext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const page = `<!DOCTYPE html><html><head><title>
 A &amp; B </title><style>p{color:red}</style><script>alert("x<p>y")</script></head>
<body><h1>Title</h1><p>Hello&nbsp;<b>bold</b> <a href="http://x.y/z?a=b">link</a> world&mdash;it's.</p>
<!-- comment --><noscript>noscr</noscript><template>tmpl</template><ul><li>one<li>two</ul><table> <tr><th> a </th> <th>b</th></tr> <tr><td>1</td><td>2</td></tr></table>
<pre><code>x := 1
  y := 2 &lt; 3</code></pre><p>Line<br>break</p><img src="a.png" alt="Alt text"><iframe src=x>fr</iframe><textarea>ta</textarea><select><option>opt</select><svg><title>svgt</title><text>svgtext</text></svg><p>snake_case * star # hash [b]</p></body></html>`

const seen = `# Title

Hello bold link world—it's.

- one
- two

a | b
1 | 2

` + "```\nx := 1\n  y := 2 < 3\n```" + `

Line
break

Alt text

snake_case * star # hash [b]`

func TestConvert(t *testing.T) {
	text, title, err := Convert(page)
	if err != nil || title != "A & B" || strings.ReplaceAll(text, "\u00a0", " ") != seen {
		t.Errorf("title %q, %v\n%s", title, err, text)
	}
	for given, want := range map[string]string{
		"": "", "plain words": "plain words", "<p>a<p>b": "a\n\nb", "a <b>b</b><i>c</i> d": "a bc d", "<svg><title>no</title></svg>x": "x", "<script>x": "", "&lt;p&gt; &amp;lt;": "<p> &lt;", "<td>a<br>b<td>c": "a\nbc",
		"<table><tr><td>a<br>b<td>c": "a\nb | c", "<p>x<table><tr><td>1</table>y": "x\n\n1\n\ny", "<pre>a\n\n\n\n &lt; b</pre>": "```\na\n\n\n\n < b\n```",
		"<table><tr><th>h<th>i<tr><td>a|b<br>b<td>&lt;c": "h | i\na|b\nb | <c",
	} {
		if text, title, err := Convert(given); err != nil || text != want || title != "" {
			t.Errorf("%q is %q, title %q, %v; want %q", given, text, title, err, want)
		}
	}
	if _, _, err := Convert(strings.Repeat("<div>", 10_000)); err == nil {
		t.Error("10,000 nested elements are taken")
	}
}

func FuzzConvert(f *testing.F) {
	f.Add(page)
	f.Add("<table><tr><td>a<table><th>|<td>b\n\n<ul><li><pre>```")
	f.Add("<a href=x><p><svg><desc><ol start=-1><li><img alt='`'>\x00&#0;&#xd800;")
	f.Fuzz(func(t *testing.T, page string) {
		if !utf8.ValidString(page) || len(page) > 1<<12 { // whoever reads files gives UTF-8 only
			return
		}
		text, title, err := Convert(page)
		if err == nil && (!utf8.ValidString(text) || !utf8.ValidString(title)) {
			t.Errorf("%q is %q, title %q", page, text, title)
		}
	})
}
