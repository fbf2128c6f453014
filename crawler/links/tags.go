package links

import "trawl/crawler/ascii"

// htmlElement is an element that matters to links; the zero value is any other.
type htmlElement uint8

const (
	elementOther htmlElement = iota
	elementA
	elementArea
	elementAudio
	elementBase
	elementButton
	elementEmbed
	elementFeImage
	elementForm
	elementFrame
	elementIframe
	elementImage
	elementImg
	elementInput
	elementLink
	elementMeta
	elementObject
	elementScript
	elementSource
	elementTrack
	elementUse
	elementVideo
	elementTablePart // body, table and what tables are made of: they may have a background
	elementForeign   // svg, math
	elementHTMLInside
	elementBreakout // ends svg and math: HTML standard, "any other start tag, in foreign content"
	elementStyle
	elementTitle
	elementTextarea
	elementXmp
	elementNoembed
	elementNoframes
	elementPlaintext
)

// maxElementName is the length of the longest name that is looked up.
const maxElementName = 16

func htmlElementOf(name []byte) htmlElement {
	var low [maxElementName]byte
	if len(name) > len(low) {
		return elementOther
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		low[i] = c
	}
	switch string(low[:len(name)]) {
	case "a":
		return elementA
	case "area":
		return elementArea
	case "audio":
		return elementAudio
	case "base":
		return elementBase
	case "button":
		return elementButton
	case "embed":
		return elementEmbed
	case "feimage":
		return elementFeImage
	case "form":
		return elementForm
	case "frame":
		return elementFrame
	case "iframe":
		return elementIframe
	case "image":
		return elementImage
	case "img":
		return elementImg
	case "input":
		return elementInput
	case "link":
		return elementLink
	case "meta":
		return elementMeta
	case "object":
		return elementObject
	case "script":
		return elementScript
	case "source":
		return elementSource
	case "track":
		return elementTrack
	case "use":
		return elementUse
	case "video":
		return elementVideo
	case "body", "table", "tbody", "td", "tfoot", "th", "thead", "tr":
		return elementTablePart
	case "svg", "math":
		return elementForeign
	case "foreignobject", "desc", "annotation-xml":
		return elementHTMLInside
	case "b", "big", "blockquote", "br", "center", "code", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
		"h5", "h6", "head", "hr", "i", "li", "menu", "nobr", "ol", "p", "pre", "ruby", "s", "small", "span",
		"strong", "strike", "sub", "sup", "tt", "u", "ul", "var":
		return elementBreakout
	case "style":
		return elementStyle
	case "title":
		return elementTitle
	case "textarea":
		return elementTextarea
	case "xmp":
		return elementXmp
	case "noembed":
		return elementNoembed
	case "noframes":
		return elementNoframes
	case "plaintext":
		return elementPlaintext
	}
	return elementOther
}

// isRaw reports whether what follows the start tag is text up to the end tag, whatever it looks like.
func (e htmlElement) isRaw() bool {
	return e == elementScript || e >= elementStyle || e == elementIframe
}

// name is the name of an element with raw text.
func (e htmlElement) name() string {
	switch e {
	case elementIframe:
		return "iframe"
	case elementStyle:
		return "style"
	case elementTitle:
		return "title"
	case elementTextarea:
		return "textarea"
	case elementXmp:
		return "xmp"
	case elementNoembed:
		return "noembed"
	}
	return "noframes"
}

// attrID is a set of attributes.
type attrID uint32

const (
	attrHref attrID = 1 << iota
	attrSrc
	attrSrcset
	attrRel
	attrRev
	attrContent
	attrHTTPEquiv
	attrStyle
	attrData
	attrPoster
	attrBackground
	attrType
	attrXlinkHref
	attrImagesrcset
	attrCharset
	attrProperty
	attrNamed
	attrMethod
	attrFormaction
	attrFormmethod
	attrSrcdoc
	attrDataSrc
	attrDataOriginal
	attrDataLazySrc
	attrDataBg
	attrDataSrcset
	attrDataLazySrcset
	attrCount = iota

	attrLazyURLs = attrDataSrc | attrDataOriginal | attrDataLazySrc | attrDataBg
	attrLazySets = attrDataSrcset | attrDataLazySrcset
	attrLazy     = attrLazyURLs | attrLazySets

	attrURLs = attrHref | attrSrc | attrData | attrPoster | attrBackground | attrXlinkHref | attrLazyURLs // one URL each
)

func attrOf(name []byte) attrID {
	is := func(s string, id attrID) attrID {
		for i := range len(s) {
			if name[i] != s[i] && (name[i]|0x20 != s[i] || !ascii.IsLetter(name[i])) {
				return 0
			}
		}
		return id
	}
	switch len(name) {
	case 3:
		return is("src", attrSrc) | is("rel", attrRel) | is("rev", attrRev)
	case 4:
		return is("href", attrHref) | is("data", attrData) | is("type", attrType) | is("name", attrNamed)
	case 5:
		return is("style", attrStyle)
	case 6:
		return is("srcset", attrSrcset) | is("poster", attrPoster) | is("srcdoc", attrSrcdoc) | is("method", attrMethod)
	case 7:
		return is("content", attrContent) | is("charset", attrCharset) | is("data-bg", attrDataBg)
	case 8:
		return is("data-src", attrDataSrc) | is("property", attrProperty)
	case 10:
		return is("http-equiv", attrHTTPEquiv) | is("background", attrBackground) | is("xlink:href", attrXlinkHref) |
			is("formaction", attrFormaction) | is("formmethod", attrFormmethod)
	case 11:
		return is("imagesrcset", attrImagesrcset) | is("data-srcset", attrDataSrcset)
	case 13:
		return is("data-original", attrDataOriginal) | is("data-lazy-src", attrDataLazySrc)
	case 16:
		return is("data-lazy-srcset", attrDataLazySrcset)
	}
	return 0
}

// attrs are the attributes of an element that matter.
func (e htmlElement) attrs() attrID {
	const always = attrStyle | attrLazy
	switch e {
	case elementA:
		return always | attrHref | attrXlinkHref
	case elementArea, elementBase:
		return always | attrHref
	case elementImg, elementSource:
		return always | attrSrc | attrSrcset
	case elementIframe:
		return always | attrSrc | attrSrcdoc
	case elementAudio, elementEmbed, elementFrame, elementTrack:
		return always | attrSrc
	case elementImage, elementScript:
		return always | attrSrc | attrHref | attrXlinkHref
	case elementUse, elementFeImage:
		return always | attrHref | attrXlinkHref
	case elementInput:
		return always | attrSrc | attrType | attrFormaction | attrFormmethod
	case elementButton:
		return always | attrFormaction | attrFormmethod
	case elementForm:
		return always | attrMethod
	case elementLink:
		return always | attrHref | attrRel | attrRev | attrImagesrcset
	case elementMeta:
		return always | attrHTTPEquiv | attrContent | attrCharset | attrProperty | attrNamed
	case elementObject:
		return always | attrData
	case elementVideo:
		return always | attrSrc | attrPoster
	case elementTablePart:
		return always | attrBackground
	}
	return always
}
