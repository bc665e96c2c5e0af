// Package htmltext makes text of HTML as a reader sees it: laid out as Markdown, without emphasis and addresses of
// links.
package htmltext

import (
	"fmt"
	"strings"
	"sync"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// plainly are elements of which only what is in them is kept.
var plainly = []string{"a", "b", "strong", "i", "em"}

// unseen are elements that readers do not see as text, beside those that the library leaves out itself.
var unseen = []string{"template", "svg", "math", "select", "button", "object", "audio", "video", "canvas"}

// Characters that are none stand for < and > on their way past the library.
var (
	hide = strings.NewReplacer("<", "\ufdd0", ">", "\ufdd1")
	show = strings.NewReplacer("\ufdd0", "<", "\ufdd1", ">")
)

var markdown = sync.OnceValue(func() *converter.Converter {
	c := converter.NewConverter(converter.WithEscapeMode(converter.EscapeModeDisabled),
		converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin()))
	inside := func(ctx converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
		ctx.RenderChildNodes(ctx, w, n)
		return converter.RenderSuccess
	}
	for _, name := range plainly {
		c.Register.RendererFor(name, converter.TagTypeInline, inside, converter.PriorityEarly)
	}
	for name, words := range map[string]func(*html.Node) string{
		"br":  func(*html.Node) string { return "\n" },
		"img": alternative,
	} {
		write := func(_ converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
			_, _ = w.WriteString(words(n)) // a buffer's
			return converter.RenderSuccess
		}
		c.Register.RendererFor(name, converter.TagTypeInline, write, converter.PriorityEarly)
	}
	for name, before := range map[string]func(*html.Node) string{
		"tr": func(*html.Node) string { return "\n" }, "td": between, "th": between,
	} {
		part := func(ctx converter.Context, w converter.Writer, n *html.Node) converter.RenderStatus {
			_, _ = w.WriteString(before(n))
			return inside(ctx, w, n)
		}
		c.Register.RendererFor(name, converter.TagTypeBlock, part, converter.PriorityEarly)
	}
	// The library writes &lt; for <, as Markdown needs and text does not.
	for priority, change := range map[int]*strings.Replacer{converter.PriorityEarly: hide, converter.PriorityLate: show} {
		c.Register.TextTransformer(func(_ converter.Context, s string) string { return change.Replace(s) }, priority)
	}
	for _, name := range unseen {
		c.Register.TagType(name, converter.TagTypeRemove, converter.PriorityEarly)
	}
	return c
})

// between parts a cell of a table from the one before it. The library's own tables give up where a cell has two lines.
func between(cell *html.Node) string {
	for n := cell.PrevSibling; n != nil; n = n.PrevSibling {
		if n.Type == html.ElementNode {
			return " | "
		}
	}
	return ""
}

// alternative is the words that stand for a picture.
func alternative(picture *html.Node) string {
	for _, a := range picture.Attr {
		if a.Key == "alt" {
			return a.Val
		}
	}
	return ""
}

// Convert makes the text of a page, and gives its title. It fails where elements are nested too deeply.
func Convert(page string) (text, title string, err error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return "", "", fmt.Errorf("parse HTML: %w", err)
	}
	title = titleOf(root)
	made, err := markdown().ConvertNode(root)
	if err != nil {
		return "", "", fmt.Errorf("make text of HTML: %w", err)
	}
	return strings.TrimSpace(string(made)), title, nil
}

// titleOf is the text of the first title of HTML itself, as pictures in SVG have titles too.
func titleOf(root *html.Node) string {
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.DataAtom != atom.Title || n.Namespace != "" {
			continue
		}
		if n.FirstChild == nil {
			return ""
		}
		return strings.Join(strings.Fields(n.FirstChild.Data), " ")
	}
	return ""
}
